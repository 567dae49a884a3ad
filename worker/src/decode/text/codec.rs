//! Codecs of text files.

/// How the bytes of a text file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    None,
    /// gzip, one member or several.
    Gzip,
    /// bzip2, one stream or several.
    Bzip2,
    /// zstd frames.
    Zstd,
    /// LZ4 frames; without their magic, the blocks that Hadoop writes.
    Lz4,
    /// zlib (what Hadoop writes as `.deflate`); without its header, raw deflate.
    Deflate,
    /// The framing format; without its magic, the blocks that Hadoop writes.
    Snappy,
}

/// Each codec's suffixes.
const SUFFIXES: [(&str, Codec); 9] = [
    (".gz", Codec::Gzip),
    (".gzip", Codec::Gzip),
    (".bz2", Codec::Bzip2),
    (".zst", Codec::Zstd),
    (".zstd", Codec::Zstd),
    (".lz4", Codec::Lz4),
    (".deflate", Codec::Deflate),
    (".snappy", Codec::Snappy),
    (".sz", Codec::Snappy),
];

impl Codec {
    /// The codec that the end of a name states, and the name without it.
    pub fn of_name(name: &str) -> (&str, Self) {
        for (suffix, codec) in SUFFIXES {
            let start = name.len().saturating_sub(suffix.len());
            if name.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(suffix)) {
                return (&name[..start], codec);
            }
        }
        (name, Self::None)
    }

    /// The name that messages use.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Deflate => "deflate",
            Self::Snappy => "snappy",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_name_decides_whatever_its_case() {
        assert_eq!(Codec::of_name("a/b.csv"), ("a/b.csv", Codec::None));
        assert_eq!(Codec::of_name("a/b.csv.GZ"), ("a/b.csv", Codec::Gzip));
        assert_eq!(Codec::of_name(".zst"), ("", Codec::Zstd));
        assert_eq!(Codec::of_name("gz"), ("gz", Codec::None));
        assert_eq!(Codec::of_name("b.json.bz2"), ("b.json", Codec::Bzip2));
        assert_eq!(Codec::of_name("\u{e9}lz4"), ("\u{e9}lz4", Codec::None));
    }
}
