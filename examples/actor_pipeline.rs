//! Which part of my work on a tree of files is the slow one?
//!
//! A pipeline walks a tree, reads and hashes its files on several threads, and hands each to an actor, which writes an
//! index. Nothing is buffered: no file is read before somebody can hash it.
//!
//! ```text
//! cargo run --example actor_pipeline                       indexes `src`
//! cargo run --example actor_pipeline -- docs index.txt     indexes `docs`, into `index.txt`
//! ```
//!
//! Without the second argument the index is written into the folder for temporary files. It prints how much was indexed,
//! then a line for each stage with how long it worked and waited, and at the end the name of the slowest stage:
//!
//! ```text
//! indexed 246 files with 1562756 bytes in /tmp/handover-index.txt
//! stage   workers     taken    passed  waited for input      worked  waited for output
//! source        1       246       246            0.0 ms      1.2 ms            32.0 ms
//! read          2       246       246           17.0 ms      2.4 ms            43.0 ms
//! hash          2       246       246           17.6 ms      8.0 ms            40.8 ms
//! sink          1       246       246           32.1 ms      1.2 ms             0.0 ms
//! slowest: hash
//! ```
//!
//! Files that cannot be read are named on standard error, and left out.

use std::{
    error::Error,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use handover::{
    pattern::{Actor, Address, Context, Handler, InHand, Pipeline},
    process::{Network, ProcessError, ProcessResult},
};

const READERS: usize = 2;
const HASHERS: usize = 2;

/// A file that was read.
struct Content {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// A line of the index.
struct Entry {
    path: PathBuf,
    length: u64,
    hash: u64,
}

/// The actor that writes the index; nobody else touches the file.
struct Index {
    path: PathBuf,
    /// From its start on.
    file: Option<BufWriter<File>>,
    files: u64,
    bytes: u64,
}

impl Actor for Index {
    type Ports = ();

    async fn started(&mut self, _: &Context<'_, Self>) -> ProcessResult {
        self.file = Some(BufWriter::new(File::create(&self.path)?));
        Ok(())
    }

    /// Nobody has its address any more: the index is whole.
    async fn stopped(&mut self, _: &Context<'_, Self>) -> ProcessResult {
        if let Some(mut file) = self.file.take() {
            file.flush()?;
        }
        println!(
            "indexed {} files with {} bytes in {}",
            self.files,
            self.bytes,
            self.path.display()
        );
        Ok(())
    }
}

impl Handler<Entry> for Index {
    type Reply = ();

    async fn handle(
        &mut self,
        entry: InHand<'_, Entry>,
        _: &Context<'_, Self>,
    ) -> Result<(), ProcessError> {
        let file = self.file.as_mut();
        let file = file.ok_or_else(|| ProcessError::msg("the index is not open"))?;
        let Entry { path, length, hash } = &*entry;
        writeln!(file, "{hash:016x} {length:9} {}", path.display())?;
        self.files += 1;
        self.bytes += length;
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let tree = arguments.next().map_or_else(|| "src".into(), PathBuf::from);
    let path = arguments.next().map_or_else(
        || std::env::temp_dir().join("handover-index.txt"),
        PathBuf::from,
    );

    let mut net = Network::new("indexing");
    let index = Index::declare(&mut net, "index").spawn(&mut net, (), move || Index {
        path: path.clone(),
        file: None,
        files: 0,
        bytes: 0,
    });
    let built = Pipeline::from_results_blocking(Walk::from(tree)?)
        .named("files")
        .or_divert(|error| eprintln!("left out: {error}"))
        .try_stage_blocking("read", READERS, read)
        .ordered()
        .or_divert(|error| eprintln!("left out: {error}"))
        .stage_blocking("hash", HASHERS, hash)
        .ordered()
        .sink_ports(index, async |index: &Address<Index>, entry: Entry| {
            index.tell(entry).await
        })
        .build(&mut net)?;
    let ended = net.run();
    println!("{}", built.finish(ended)?.report);
    Ok(())
}

fn read(path: PathBuf) -> io::Result<Content> {
    let bytes = fs::read(&path).map_err(|error| about(&path, &error))?;
    Ok(Content { path, bytes })
}

/// An error that says which file it is about.
fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// The 64-bit FNV-1a hash (Fowler, Noll and Vo): it tells files apart that differ by chance, not by intent.
fn hash(Content { path, bytes }: Content) -> Entry {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Entry {
        path,
        length: bytes.len() as u64,
        hash,
    }
}

/// The files below a folder, each folder's in alphabetical order. It holds the names of one folder a level.
struct Walk {
    levels: Vec<std::vec::IntoIter<PathBuf>>,
}

impl Walk {
    fn from(tree: PathBuf) -> io::Result<Self> {
        fs::metadata(&tree).map_err(|error| about(&tree, &error))?;
        Ok(Self {
            levels: vec![vec![tree].into_iter()],
        })
    }

    /// What is in a folder; `None` if it is no folder. Links are not followed.
    fn open(path: &Path) -> io::Result<Option<Vec<PathBuf>>> {
        if !fs::symlink_metadata(path)?.is_dir() {
            return Ok(None);
        }
        let entries = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
        let mut inside = entries.collect::<io::Result<Vec<_>>>()?;
        inside.sort_unstable();
        Ok(Some(inside))
    }
}

impl Iterator for Walk {
    type Item = io::Result<PathBuf>;

    fn next(&mut self) -> Option<io::Result<PathBuf>> {
        loop {
            let Some(path) = self.levels.last_mut()?.next() else {
                self.levels.pop();
                continue;
            };
            match Self::open(&path) {
                Ok(Some(inside)) => self.levels.push(inside.into_iter()),
                Ok(None) => return Some(Ok(path)),
                Err(error) => return Some(Err(about(&path, &error))),
            }
        }
    }
}
