//! Executables: identified, read for what they record of their build, and unpacked.

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
}
