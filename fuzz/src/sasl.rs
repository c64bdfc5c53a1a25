//! What a server may say in a login by DIGEST-MD5: it learns a response of bounded length, never the password, and is
//! not believed without its proof.

use zk_client::sasl::{Answer, DigestMd5};

const PASSWORD: &str = "correct horse battery";

/// A challenge, and behind the first zero byte the proof.
pub fn zk_sasl(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == 0);
    let (challenge, proof) = input.split_at(end.unwrap_or(input.len()));
    let mut login = DigestMd5::new("someone", PASSWORD).expect("random bytes");
    assert!(matches!(login.start(), Answer::Send(first) if first.is_empty()));
    if let Ok(answer) = login.step(challenge) {
        let Answer::Send(response) = answer else {
            panic!("a challenge is not the end");
        };
        assert!(response.len() < 2 * challenge.len() + 512);
        let secret = PASSWORD.as_bytes();
        assert!(!contains(&response, secret) || contains(challenge, secret));
        let believed = login.step(proof.get(1..).unwrap_or_default());
        assert!(
            believed.is_err(),
            "the proof depends on what nobody can foresee"
        );
    }
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}
