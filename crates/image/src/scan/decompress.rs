//! Decoders for gzip, xz and zstd with a limited window. Like the tools, they read concatenated streams.

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::reader::{Budget, Counted, PeekedReader};
use super::report::Fault;
use crate::limits::LARGEST_WINDOW;

/// The memory of an xz decoder without its window, in bytes.
const DECODER: u64 = 1 << 20;

/// Returns a reader of the decompressed data.
pub(super) fn decoder<'s, 'b>(
    compression: &'static str,
    reader: PeekedReader<'s>,
    budget: &'b Budget<'b>,
) -> Result<Counted<'b, Box<dyn Read + 's>>, Fault> {
    let encoded = Rc::new(Cell::new(0));
    let input = BufReader::new(Metered { inner: reader, read: Rc::clone(&encoded) });
    let inner: Box<dyn Read + 's> = match compression {
        "gzip" => Box::new(MultiGzDecoder::new(input)),
        "xz" => Box::new(XzReader::new_mem_limit(
            input,
            true,
            u32::try_from((LARGEST_WINDOW + DECODER) >> 10).unwrap_or(u32::MAX),
        )),
        "zstd" => Box::new(Zstd::new(input)),
        other => return Err(Fault::Damaged(format!("{other} is not read"))),
    };
    Ok(budget.decoded(inner, encoded))
}

/// A reader that counts the bytes read.
struct Metered<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

/// The frames of a zstd stream, one after another.
struct Zstd<R> {
    input: R,
    decoder: FrameDecoder,
}

impl<R: BufRead> Zstd<R> {
    fn new(input: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(LARGEST_WINDOW);
        Self { input, decoder }
    }

    /// Begins the next frame, or skips a skippable one.
    fn begin(&mut self) -> io::Result<()> {
        match self.decoder.reset(&mut self.input) {
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                io::copy(&mut self.input.by_ref().take(length.into()), &mut io::sink()).map(|_| ())
            }
            outcome => outcome.map_err(io::Error::other),
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.decoder.can_collect() > 0 || buffer.is_empty() {
                return self.decoder.read(buffer);
            }
            if !self.decoder.is_finished() {
                let step = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.input, step).map_err(io::Error::other)?;
            } else if self.input.fill_buf()?.is_empty() {
                return Ok(0);
            } else {
                self.begin()?;
            }
        }
    }
}
