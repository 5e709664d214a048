//! An export's output file. It appears, or replaces an old one, when complete; only its owner can read it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// An output file being written.
pub(super) enum Target {
    /// A temporary file beside its destination.
    Beside(BufWriter<NamedTempFile>, PathBuf),
    /// A pipe or device, which cannot be replaced.
    Stream(BufWriter<File>),
}

impl Target {
    /// Opens the output; an existing file at `path` stays until [`Target::finish`].
    pub(super) fn begin(path: &Path) -> io::Result<Self> {
        let place = match fs::metadata(path) {
            Ok(about) if about.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(about) if !about.is_file() => {
                return Ok(Self::Stream(BufWriter::new(File::options().write(true).open(path)?)));
            }
            // Keeps a symbolic link and replaces its target.
            Ok(_) => fs::canonicalize(path)?,
            Err(_) => path.to_owned(),
        };
        let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Opened directly, because the library's errors name the temporary file.
        let open = |path: &Path| File::options().write(true).create_new(true).mode(0o600).open(path);
        let file = tempfile::Builder::new().make_in(folder, open)?;
        Ok(Self::Beside(BufWriter::new(file), place))
    }

    /// Writes a line.
    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        match self {
            Self::Beside(file, _) => writeln!(file, "{line}"),
            Self::Stream(file) => writeln!(file, "{line}"),
        }
    }

    /// Moves the file to its destination.
    pub(super) fn finish(self) -> io::Result<()> {
        match self {
            Self::Beside(file, place) => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.as_file().sync_all()?;
                file.persist(place).map(drop).map_err(|failed| failed.error)
            }
            Self::Stream(mut file) => file.flush(),
        }
    }
}
