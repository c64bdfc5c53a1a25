//! URLs, instance names and znode data from anywhere: an error has its position inside the text and never a password.
#![no_main]

use discovery::{InstanceData, InstanceName, JdbcUrl};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let _ = InstanceData::parse(input);
    let Ok(text) = std::str::from_utf8(input) else { return };
    let _ = text.parse::<InstanceName>();
    match JdbcUrl::parse_target(text) {
        Ok(url) => {
            let again = JdbcUrl::parse(&url.to_text_with_secrets()).expect("a printed URL parses");
            assert_eq!(again.to_text_with_secrets(), url.to_text_with_secrets());
        }
        Err(error) => {
            assert!(error.offset() <= text.len());
            let _ = error.pointed();
        }
    }
});
