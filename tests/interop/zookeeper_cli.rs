use serde_json::Value;
use tests::backend::Backend;
use tests::peers::python;
use tests::release::Release;
use tests::zookeeper::unique_name;

/// Of the real ones, those that have all that the shell asks for.
mod zookeepers_own_shell_is_answered_as_by_a_real_server {
    use super::*;

    #[tokio::test]
    async fn embedded() {
        zookeepers_own_shell_is_answered(Backend::embedded().await).await;
    }

    #[tokio::test]
    async fn v3_8() {
        zookeepers_own_shell_is_answered(Backend::real(Release::V3_8).await).await;
    }

    #[tokio::test]
    async fn v3_9() {
        zookeepers_own_shell_is_answered(Backend::real(Release::V3_9).await).await;
    }
}

/// What is expected of an answer.
enum Expect {
    Exactly(&'static str),
    Contains(&'static [&'static str]),
}

use Expect::{Contains, Exactly};

/// `ROOT` stands for a znode of this test's own.
const CONVERSATION: &[(&str, Expect)] = &[
    ("create ROOT top", Exactly("Created ROOT")),
    ("create -e ROOT/e one", Exactly("Created ROOT/e")),
    (
        "create -s ROOT/s- two",
        Exactly("Created ROOT/s-0000000001"),
    ),
    ("create -c ROOT/c", Exactly("Created ROOT/c")),
    (
        "create ROOT/missing/x",
        Exactly("Node does not exist: ROOT/missing/x"),
    ),
    ("create ROOT/c", Exactly("Node already exists: ROOT/c")),
    ("ls ROOT", Exactly("[c, e, s-0000000001]")),
    (
        "ls -R ROOT",
        Exactly("ROOT\nROOT/c\nROOT/e\nROOT/s-0000000001"),
    ),
    ("get ROOT/e", Exactly("one")),
    (
        "get -s ROOT/e",
        Contains(&["one\n", "\ndataVersion = 0\n", "\ndataLength = 3\n"]),
    ),
    (
        "stat ROOT",
        Contains(&[
            "\ncversion = 3\n",
            "\nephemeralOwner = 0x0\n",
            "\nnumChildren = 3",
        ]),
    ),
    ("set ROOT/e uno", Exactly("")),
    (
        "set -v 7 ROOT/e no",
        Exactly("version No is not valid : ROOT/e"),
    ),
    ("set -s ROOT/e dos", Contains(&["\ndataVersion = 2\n"])),
    ("getAcl ROOT", Exactly("'world,'anyone\n: cdrwa")),
    ("addauth digest bob:secret", Exactly("")),
    ("setAcl ROOT/s-0000000001 auth::cdrwa", Exactly("")),
    (
        "getAcl -s ROOT/s-0000000001",
        Contains(&[
            "'digest,'bob:fyVmFCwVbTJYrznoSu1koqYEYF0=\n: cdrwa",
            "\naclVersion = 1\n",
        ]),
    ),
    (
        "setAcl ROOT nonsense:x:r",
        Exactly("Acl is not valid : ROOT"),
    ),
    ("setquota -n 10 ROOT", Exactly("")),
    (
        "listquota ROOT",
        Contains(&[
            "Output quota for ROOT count=10,bytes=-1",
            "Output stat for ROOT count=4,bytes=",
        ]),
    ),
    ("delquota ROOT", Exactly("")),
    ("addWatch -m PERSISTENT_RECURSIVE ROOT", Exactly("")),
    ("set ROOT/e tres", Exactly("")),
    ("create ROOT/c/deep", Exactly("Created ROOT/c/deep")),
    ("sync ROOT", Exactly("Sync is OK")),
    ("removewatches ROOT -a", Exactly("")),
    ("set ROOT/e cuatro", Exactly("")),
    ("get -w ROOT/e", Exactly("cuatro")),
    ("set ROOT/e cinco", Exactly("")),
    ("set ROOT/e seis", Exactly("")),
    ("getEphemerals ROOT", Exactly("[ROOT/e]")),
    ("getAllChildrenNumber ROOT", Exactly("4")),
    (
        "delete -v 9 ROOT/e",
        Exactly("version No is not valid : ROOT/e"),
    ),
    ("delete ROOT", Exactly("Node not empty: ROOT")),
    ("delete ROOT/e", Exactly("")),
    ("deleteall ROOT", Exactly("")),
    ("get ROOT", Exactly("Node does not exist: ROOT")),
];

async fn zookeepers_own_shell_is_answered(backend: Backend) {
    let root = format!("/{}", unique_name("shell"));
    let own = |text: &str| text.replace("ROOT", &root);
    let commands: Vec<_> = CONVERSATION.iter().map(|(line, _)| own(line)).collect();
    let commands = Value::from(commands).to_string();
    let output = python("zookeeper_cli.py", &[&backend.connect_string(), &commands]).await;
    let output = output.success();
    let told: Value = serde_json::from_str(&output.stdout).unwrap();
    let answers = told["answers"].as_array().unwrap();
    assert_eq!(answers.len(), CONVERSATION.len());
    for ((line, expected), answer) in CONVERSATION.iter().zip(answers) {
        let answer = answer.as_str().unwrap();
        let at = backend.describe();
        match expected {
            Exactly(text) => assert_eq!(answer, own(text), "{line}, {at}"),
            Contains(texts) => {
                for text in *texts {
                    assert!(answer.contains(&own(text)), "{line}, {at}: {answer}");
                }
            }
        }
    }
    let expected = [
        "NodeDataChanged ROOT/e",
        "NodeCreated ROOT/c/deep",
        "PersistentWatchRemoved ROOT",
        "NodeDataChanged ROOT/e",
    ];
    let expected = Value::from(expected.map(own).to_vec());
    assert_eq!(told["events"], expected, "{}", backend.describe());
}
