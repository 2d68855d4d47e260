//! Executables: identified, read for what they record of their build, packed and unpacked.

use gobinary::pclntab::{Names, rewrite};
use gobinary::symbols::Symbols;

pub(crate) fn check(input: &[u8]) {
    let _ = gobinary::classify(input);
    let _ = gobinary::identify(input);
    let _ = gobinary::build_id(input);
    if let Ok(info) = gobinary::build_info(input) {
        let _ = gobinary::tailscale::tailscale(input, &info);
    }
    let _ = rewrite(input, Names::Runtime);
    let _ = Symbols::read(input);
    let _ = execpack::unpack(input);
    if let Ok(packed) = execpack::pack(input) {
        assert_eq!(execpack::unpack(&packed.bytes).as_deref(), Ok(input), "unpacking does not return the packed bytes");
    }
}
