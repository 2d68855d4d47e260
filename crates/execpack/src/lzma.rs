//! Raw LZMA streams: no header and no end marker; the payload's table has the lengths and parameters.

use std::io::{Read, Write};

use lzma_rust2::{EncodeMode, LzmaOptions, LzmaReader, LzmaWriter, MfType};

use crate::error::Unreadable;

/// The parameters of a stream's model: bits of the last byte, of the position for literals, and of the position for matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Model {
    pub(crate) lc: u8,
    pub(crate) lp: u8,
    pub(crate) pb: u8,
}

impl Model {
    pub(crate) const fn new(lc: u8, lp: u8, pb: u8) -> Self {
        Self { lc, lp, pb }
    }

    /// The properties byte of the LZMA format.
    pub(crate) fn byte(self) -> u8 {
        (self.pb * 5 + self.lp) * 9 + self.lc
    }

    /// The model of a properties byte.
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        let (pb, rest) = (byte / 45, byte % 45);
        (byte < 225).then_some(Self { lc: rest % 9, lp: rest / 9, pb })
    }
}

/// The loader's memory for the probabilities of a model, in bytes.
pub(crate) fn probabilities(model: Model) -> usize {
    (FIXED_PROBABILITIES + (0x300 << (model.lc + model.lp))) * 2
}

/// Probabilities but for those of literals: `LITERAL` in loader/lzma.h.
const FIXED_PROBABILITIES: usize = 1860;

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) model: Model,
    /// Bytes before compression.
    pub(crate) length: usize,
    pub(crate) packed: Vec<u8>,
}

/// Compresses with each model and returns the shortest stream, the first of equals.
pub(crate) fn compress(bytes: &[u8], models: &[Model]) -> Stream {
    let streams = models.iter().map(|model| Stream {
        model: *model,
        length: bytes.len(),
        // Writing into memory does not fail, and the parameters are in range.
        packed: encode(bytes, *model).unwrap_or_default(),
    });
    let empty = Stream { model: Model::new(0, 0, 0), length: 0, packed: Vec::new() };
    if bytes.is_empty() { empty } else { streams.min_by_key(|stream| stream.packed.len()).unwrap_or(empty) }
}

fn encode(bytes: &[u8], model: Model) -> lzma_rust2::Result<Vec<u8>> {
    let options = LzmaOptions {
        dict_size: dictionary(bytes.len()),
        lc: model.lc.into(),
        lp: model.lp.into(),
        pb: model.pb.into(),
        mode: EncodeMode::Normal,
        nice_len: LzmaOptions::NICE_LEN_MAX,
        mf: MfType::Bt4,
        depth_limit: 1024,
        preset_dict: None,
    };
    let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, false)?;
    writer.write_all(bytes)?;
    writer.finish()
}

/// The whole stream is its own dictionary: the loader decodes into one piece of memory.
fn dictionary(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX).max(1 << 12).checked_next_power_of_two().unwrap_or(1 << 31)
}

/// Decompresses a stream to exactly `length` bytes.
pub(crate) fn decompress(packed: &[u8], model: Model, length: usize) -> Result<Vec<u8>, Unreadable> {
    let damaged = Unreadable::Damaged("a stream does not decompress");
    let (lc, lp, pb) = (model.lc.into(), model.lp.into(), model.pb.into());
    if length == 0 {
        return if packed.is_empty() { Ok(Vec::new()) } else { Err(damaged) };
    }
    let reader = LzmaReader::new(packed, length as u64, lc, lp, pb, dictionary(length), None).map_err(|_| damaged)?;
    // Grows with what is really there: a length in a hostile header allocates nothing.
    let mut bytes = Vec::new();
    reader.take(length as u64).read_to_end(&mut bytes).map_err(|_| damaged)?;
    if bytes.len() == length { Ok(bytes) } else { Err(damaged) }
}
