use zk_proto::record::{
    AuthRequest, CreateMode, DeleteRequest, ExistsRequest, GetAclRequest, GetAclResponse,
    GetChildrenRequest, GetDataRequest, Request, SetAclRequest, SetAclResponse, SetDataRequest,
    WhoAmIResponse,
};
use zk_proto::{Acl, ErrorCode, ZnodeVersion, Zxid};

use super::lab::{Client, Lab, create, texts};

const BOB: &str = "digest:bob:fyVmFCwVbTJYrznoSu1koqYEYF0=";
const ANY: ZnodeVersion = ZnodeVersion::ANY;

#[test]
fn each_permission_guards_its_requests() {
    let mut lab = Lab::new();
    let (bob, stranger) = (lab.client(), lab.client());
    authenticate(&mut lab, bob);
    // The letters of zkCli: create, delete, read, write, administer.
    for granted in ["c", "d", "r", "w", "a"] {
        let path = format!("/{granted}");
        let (child, new) = (format!("{path}/child"), format!("{path}/new"));
        let acl: [Acl; 2] = [
            format!("world:anyone:{granted}").parse().unwrap(),
            format!("{BOB}:cdrwa").parse().unwrap(),
        ];
        let open = Request::Create(create(&path, CreateMode::PERSISTENT, &acl));
        assert_eq!(lab.call(bob, &open).code(), ErrorCode::OK);
        lab.create(bob, &child).unwrap();
        let data = None;
        let (path, child, new) = (path.as_str(), child.as_str(), new.as_str());
        let watch = false;
        for (letters, request) in [
            (
                "c",
                Request::Create(create(new, CreateMode::PERSISTENT, Acl::OPEN)),
            ),
            (
                "d",
                Request::Delete(DeleteRequest {
                    path: child,
                    version: ANY,
                }),
            ),
            ("r", Request::GetData(GetDataRequest { path, watch })),
            ("r", Request::Exists(ExistsRequest { path, watch })),
            (
                "r",
                Request::GetChildren(GetChildrenRequest { path, watch }),
            ),
            (
                "w",
                Request::SetData(SetDataRequest {
                    path,
                    data,
                    version: ANY,
                }),
            ),
            ("ra", Request::GetAcl(GetAclRequest { path })),
            // Last, since it opens the znode.
            (
                "a",
                Request::SetAcl(SetAclRequest {
                    path,
                    acl: Acl::OPEN.into(),
                    version: ANY,
                }),
            ),
        ] {
            let expected = if letters.contains(granted) {
                ErrorCode::OK
            } else {
                ErrorCode::NO_AUTH
            };
            assert_eq!(
                lab.call(stranger, &request).code(),
                expected,
                "{granted}: {request:?}"
            );
        }
    }
}

#[test]
fn auth_entries_become_the_identities_of_the_connection() {
    let mut lab = Lab::new();
    let client = lab.client();
    let request = Request::Create(create("/a", CreateMode::PERSISTENT, Acl::CREATOR_ALL));
    assert_eq!(lab.call(client, &request).code(), ErrorCode::INVALID_ACL);
    authenticate(&mut lab, client);
    assert_eq!(lab.call(client, &request).code(), ErrorCode::OK);
    let reply = lab.call(client, &Request::GetAcl(GetAclRequest { path: "/a" }));
    let acl = reply.body::<GetAclResponse>().acl;
    assert_eq!(acl, [format!("{BOB}:cdrwa").parse().unwrap()]);
}

#[test]
fn the_hash_of_a_password_is_shown_to_administrators_only() {
    let mut lab = Lab::new();
    let (bob, stranger) = (lab.client(), lab.client());
    authenticate(&mut lab, bob);
    let acl: [Acl; 2] = [
        format!("{BOB}:cdrwa").parse().unwrap(),
        "world:anyone:r".parse().unwrap(),
    ];
    let request = Request::Create(create("/a", CreateMode::PERSISTENT, &acl));
    lab.call(bob, &request);
    let request = Request::GetAcl(GetAclRequest { path: "/a" });
    assert_eq!(lab.call(bob, &request).body::<GetAclResponse>().acl, acl);
    let shown = lab.call(stranger, &request).body::<GetAclResponse>().acl;
    let shown: Vec<_> = shown.iter().map(Acl::to_string).collect();
    assert_eq!(shown, ["digest:bob:x:cdrwa", "world:anyone:r"]);
}

#[test]
fn an_acl_is_set_at_its_own_version() {
    let mut lab = Lab::new();
    let client = lab.client();
    lab.create(client, "/a").unwrap();
    let before = lab.stat(client, "/a").unwrap();
    let set = |lab: &mut Lab, version| {
        let request = Request::SetAcl(SetAclRequest {
            path: "/a",
            acl: Acl::OPEN.into(),
            version: ZnodeVersion(version),
        });
        lab.call(client, &request)
    };
    assert_eq!(set(&mut lab, 1).code(), ErrorCode::BAD_VERSION);
    let stat = set(&mut lab, 0).body::<SetAclResponse>().stat;
    assert_eq!(stat.aversion, 1);
    assert_eq!((stat.version, stat.mzxid), (before.version, before.mzxid));
}

#[test]
fn the_address_of_the_peer_is_an_identity() {
    let mut lab = Lab::new();
    let client = lab.client();
    for (network, expected) in [
        ("ip:127.0.0.0/8:r", ErrorCode::OK),
        ("ip:10.0.0.1:r", ErrorCode::NO_AUTH),
    ] {
        let path = if expected == ErrorCode::OK {
            "/in"
        } else {
            "/out"
        };
        let acl: [Acl; 1] = [network.parse().unwrap()];
        lab.call(
            client,
            &Request::Create(create(path, CreateMode::PERSISTENT, &acl)),
        );
        let request = Request::GetData(GetDataRequest { path, watch: false });
        assert_eq!(lab.call(client, &request).code(), expected);
    }
}

#[test]
fn a_connection_can_ask_who_it_is() {
    let mut lab = Lab::new();
    let client = lab.client();
    authenticate(&mut lab, client);
    authenticate(&mut lab, client);
    let reply = lab.call(client, &Request::WhoAmI);
    let clients = reply.body::<WhoAmIResponse<'_>>().clients;
    let mut names: Vec<_> = clients.iter().map(|c| (c.scheme, c.user)).collect();
    names.sort_unstable();
    assert_eq!(names, [("digest", "bob"), ("ip", "127.0.0.1")]);
}

#[test]
fn credentials_of_an_unknown_scheme_end_the_connection_but_not_the_session() {
    let mut lab = Lab::new();
    let client = lab.client();
    let auth = Some(&b"x"[..]);
    let scheme = "kerberos";
    let reply = lab.call(client, &Request::Auth(AuthRequest { scheme, auth }));
    assert_eq!(reply.code(), ErrorCode::AUTH_FAILED);
    assert_eq!(reply.header.zxid, Zxid(0));
    assert!(lab.core.is_over(client.connection));
    assert!(lab.reattach(client).is_some());
}

#[test]
fn identities_are_proven_anew_on_every_connection() {
    let mut lab = Lab::new();
    let client = lab.client();
    authenticate(&mut lab, client);
    let client = lab.reattach(client).unwrap();
    let reply = lab.call(client, &Request::WhoAmI);
    assert_eq!(reply.body::<WhoAmIResponse<'_>>().clients.len(), 1);
}

#[test]
fn an_event_is_told_only_to_those_who_may_read() {
    let mut lab = Lab::new();
    let (bob, stranger) = (lab.client(), lab.client());
    authenticate(&mut lab, bob);
    for client in [bob, stranger] {
        lab.watch(client, "/a");
    }
    let request = Request::Create(create("/a", CreateMode::PERSISTENT, Acl::CREATOR_ALL));
    assert_eq!(lab.call(bob, &request).code(), ErrorCode::OK);
    assert_eq!(texts(&lab.events(bob)), ["created /a"]);
    assert_eq!(lab.events(stranger), []);
}

fn authenticate(lab: &mut Lab, client: Client) {
    let request = Request::Auth(AuthRequest {
        scheme: "digest",
        auth: Some(b"bob:secret"),
    });
    let reply = lab.call(client, &request);
    assert_eq!((reply.code(), reply.header.zxid), (ErrorCode::OK, Zxid(0)));
}
