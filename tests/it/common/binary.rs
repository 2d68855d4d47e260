//! Binaries for tests: ELF files that hold build information and nothing else, and small real ones made by Go.

/// An ELF file of RISC-V with the build information of this Go and this record.
pub(crate) fn binary(go: &str, record: &str) -> Vec<u8> {
    let mut section = b"\xff Go buildinf:".to_vec();
    section.resize(32, 0);
    section[15] = 2;
    for text in [go.to_owned(), format!("{0}{record}{0}", "s".repeat(16))] {
        let mut length = text.len();
        while length >= 0x80 {
            section.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        section.push(u8::try_from(length).unwrap());
        section.extend(text.as_bytes());
    }
    let (format, machine) = (object::BinaryFormat::Elf, object::Architecture::Riscv64);
    let mut file = object::write::Object::new(format, machine, object::Endianness::Little);
    let id = file.add_section(Vec::new(), b".go.buildinfo".to_vec(), object::SectionKind::ReadOnlyData);
    file.append_section_data(id, &section, 16);
    file.write().unwrap()
}

/// An ELF file of RISC-V in which nothing is Go's.
pub(crate) fn foreign() -> Vec<u8> {
    let (format, machine) = (object::BinaryFormat::Elf, object::Architecture::Riscv64);
    object::write::Object::new(format, machine, object::Endianness::Little).write().unwrap()
}

/// The record of a daemon of this release with these tags.
pub(crate) fn daemon(release: &str, tags: &str) -> String {
    format!(
        "path\ttailscale.com/cmd/tailscaled\nmod\ttailscale.com\tv{release}\th1:sum=\nbuild\t-tags={tags}\n\
         build\t-trimpath=true\nbuild\tGOARCH=riscv64\nbuild\tGOOS=linux\n"
    )
}
