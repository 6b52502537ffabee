//! Reading a log file line by line in bounded memory, whatever is in it and however it is compressed.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::workspace::WorkspaceError;

/// Of a longer line, only this many bytes are looked at.
pub(super) const LONGEST_LINE: usize = 64 << 10;

/// Room for lines; several times the longest.
const BUFFER: usize = 1 << 20;

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    Plain,
    Gzip,
    Zstd,
}

impl Compression {
    /// As its first bytes tell.
    fn of(start: &[u8]) -> Self {
        if start.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Self::Zstd
        } else {
            Self::Plain
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// Counts what is read from a file.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// A log file, as the bytes of the log itself.
pub(super) struct LogFile {
    bytes: Box<dyn Read + Send>,
    pub compression: Compression,
    read: Arc<AtomicU64>,
}

impl LogFile {
    /// Opens a file; `from` bytes of its log are skipped, fast where it is not compressed.
    pub fn open(path: &Path, from: u64) -> Result<Self, WorkspaceError> {
        Self::open_at(path, from).map_err(|error| WorkspaceError::io(path, error))
    }

    fn open_at(path: &Path, from: u64) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::other("is a folder: name the log files in it"));
        } else if !metadata.is_file() {
            return Err(io::Error::other("is no file that can be read again: write it to one first"));
        }
        let mut start = Vec::with_capacity(4);
        (&mut file).take(4).read_to_end(&mut start)?;
        let compression = Compression::of(&start);
        let plain = compression == Compression::Plain;
        file.seek(SeekFrom::Start(if plain { from } else { 0 }))?;
        let read = Arc::new(AtomicU64::new(if plain { from } else { 0 }));
        let counted = Counted { file, read: Arc::clone(&read) };
        let mut bytes: Box<dyn Read + Send> = match compression {
            Compression::Plain => Box::new(counted),
            Compression::Gzip => {
                Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(BUFFER, counted)))
            }
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(counted)?),
        };
        if !plain {
            skip(&mut bytes, from)?;
        }
        Ok(Self { bytes, compression, read })
    }

    /// How many bytes of the file, compressed as it is, have been read.
    pub fn position(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Reads past `bytes` bytes; gives how many there were.
    pub fn skip(&mut self, bytes: u64) -> io::Result<u64> {
        skip(&mut self.bytes, bytes)
    }

    /// The CRC-32 of the next `bytes` bytes, if there are so many.
    pub fn crc(&mut self, bytes: u64) -> io::Result<Option<u32>> {
        let mut hasher = crc32fast::Hasher::new();
        let mut buffer = vec![0; 64 << 10];
        let mut left = bytes;
        while left > 0 {
            let want = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            match self.bytes.read(&mut buffer[..want]) {
                Ok(0) => return Ok(None),
                Ok(read) => {
                    hasher.update(&buffer[..read]);
                    left -= read as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(hasher.finalize()))
    }
}

impl Read for LogFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(into)
    }
}

fn skip(bytes: &mut impl Read, count: u64) -> io::Result<u64> {
    io::copy(&mut bytes.take(count), &mut io::sink())
}

/// A line as it stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RawLine<'b> {
    /// Its bytes without the line feed; the first [`LONGEST_LINE`] of them.
    pub bytes: &'b [u8],
    /// How many bytes it takes in the file, with its line feed.
    pub length: u64,
    /// Whether it is longer than `bytes`.
    pub cut: bool,
    /// Whether it has a line feed; only a file's last line may have none.
    pub ended: bool,
}

/// Cuts bytes into lines.
pub(super) struct LineReader<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes of `buffer` before this are in `crc`.
    hashed: usize,
    crc: crc32fast::Hasher,
    /// The start of a line that is too long.
    long: Vec<u8>,
}

impl<R: Read> LineReader<R> {
    pub fn new(input: R) -> Self {
        Self {
            input,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            hashed: 0,
            crc: crc32fast::Hasher::new(),
            long: Vec::new(),
        }
    }

    pub fn input(&self) -> &R {
        &self.input
    }

    /// The CRC-32 of the lines since the last call.
    pub fn take_crc(&mut self) -> u32 {
        self.hash();
        std::mem::take(&mut self.crc).finalize()
    }

    /// The next line; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<RawLine<'_>>> {
        let mut looked_at = 0;
        loop {
            let found = memchr::memchr(b'\n', &self.buffer[self.start + looked_at..self.end]);
            let unread = self.end - self.start;
            let (length, ended) = match found {
                Some(offset) => (looked_at + offset + 1, true),
                None if unread > LONGEST_LINE => return self.long_line().map(Some),
                None if self.fill()? => {
                    looked_at = unread;
                    continue;
                }
                None if unread == 0 => return Ok(None),
                None => (unread, false),
            };
            let whole = length - usize::from(ended);
            let from = self.start;
            self.start += length;
            return Ok(Some(RawLine {
                bytes: &self.buffer[from..from + whole.min(LONGEST_LINE)],
                length: length as u64,
                cut: whole > LONGEST_LINE,
                ended,
            }));
        }
    }

    /// A line that is longer than is kept: reads to its end.
    fn long_line(&mut self) -> io::Result<RawLine<'_>> {
        self.long.clear();
        self.long.extend_from_slice(&self.buffer[self.start..self.start + LONGEST_LINE]);
        let mut length = 0;
        let ended = loop {
            match memchr::memchr(b'\n', &self.buffer[self.start..self.end]) {
                Some(offset) => {
                    length += offset as u64 + 1;
                    self.start += offset + 1;
                    break true;
                }
                None => {
                    length += (self.end - self.start) as u64;
                    self.start = self.end;
                    if !self.fill()? {
                        break false;
                    }
                }
            }
        };
        Ok(RawLine { bytes: &self.long, length, cut: true, ended })
    }

    /// Reads more; says whether there was more.
    fn fill(&mut self) -> io::Result<bool> {
        self.hash();
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        (self.start, self.hashed) = (0, 0);
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn hash(&mut self) {
        self.crc.update(&self.buffer[self.hashed..self.start]);
        self.hashed = self.start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives bytes in small pieces.
    struct Drip<'b>(&'b [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(into.len());
            self.0.take(length as u64).read(into).inspect(|read| self.0 = &self.0[*read..])
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_one_is_whole() {
        let mut text = b"first\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 3 * BUFFER));
        text.extend_from_slice(b"\nlast");
        let mut lines = LineReader::new(text.as_slice());
        assert_eq!(lines.next().unwrap().unwrap().bytes, b"first");
        let long = lines.next().unwrap().unwrap();
        assert_eq!((long.bytes.len(), long.length, long.cut), (LONGEST_LINE, 3 * BUFFER as u64 + 1, true));
        let last = lines.next().unwrap().unwrap();
        assert_eq!((last.bytes, last.length, last.ended), (b"last" as &[u8], 4, false));
        assert_eq!(lines.next().unwrap(), None);
        assert_eq!(lines.take_crc(), crc32fast::hash(&text));
        assert_eq!(lines.buffer.len(), BUFFER);
    }

    proptest! {
        #[test]
        fn lines_and_their_lengths_are_those_of_the_file(text in "[ab\n\r]{0,60}", step in 1usize..9) {
            let mut lines = LineReader::new(Drip(text.as_bytes(), step));
            let mut found = Vec::new();
            let mut length = 0;
            while let Some(line) = lines.next().unwrap() {
                found.push(String::from_utf8(line.bytes.to_vec()).unwrap());
                length += line.length;
            }
            let mut plain: Vec<String> = text.split('\n').map(str::to_owned).collect();
            if plain.last().is_some_and(String::is_empty) {
                plain.pop();
            }
            prop_assert_eq!(found, plain);
            prop_assert_eq!(length, text.len() as u64);
            prop_assert_eq!(lines.take_crc(), crc32fast::hash(text.as_bytes()));
        }
    }
}
