//! Tables to compare: rows of a real run with other numbers, more of them, or something broken.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The rows of a table.
#[derive(Clone)]
pub(crate) struct Table {
    header: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// One cell for each of `modes`, with `n` trials around 20,000 operations per second times `factor`.
    pub(crate) fn of(run: &str, modes: &[&str], n: usize, factor: f64) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/quickstart/trials.csv");
        let mut reader = csv::Reader::from_path(path).unwrap();
        let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let model: Vec<String> =
            reader.records().next().unwrap().unwrap().iter().map(str::to_owned).collect();
        let mut table = Self { header, rows: Vec::new() };
        for repetition in 1..=n {
            for (index, mode) in modes.iter().enumerate() {
                table.rows.push(model.clone());
                let row = table.rows.len() - 1;
                // Trials scatter by half a percent to either side.
                let scatter = 1.0 + 0.01 * ((repetition * 7 % n) as f64 / n as f64 - 0.5);
                let speed = 20_000.0 * factor * scatter;
                table.set(row, "run_id", run);
                table.set(row, "cell", &format!("{index:016x}"));
                table.set(row, "mode", mode);
                table.set(row, "repetition", &repetition.to_string());
                table.set(row, "position", &(row + 1).to_string());
                table.set(row, "ops_per_s", &speed.to_string());
                table.set(row, "latency_p99_us", &(1e6 / speed).to_string());
            }
        }
        table
    }

    pub(crate) fn set(&mut self, row: usize, column: &str, value: &str) {
        let column = self.column(column);
        value.clone_into(&mut self.rows[row][column]);
    }

    /// Makes all trials of one of `modes` modes so much faster.
    pub(crate) fn scale(&mut self, mode: usize, modes: usize, factor: f64) {
        let column = self.column("ops_per_s");
        for row in (mode..self.rows.len()).step_by(modes) {
            let speed: f64 = self.rows[row][column].parse().unwrap();
            self.set(row, "ops_per_s", &(speed * factor).to_string());
        }
    }

    /// Sets the flags of the first `count` trials of one of `modes` modes.
    pub(crate) fn flag(&mut self, mode: usize, modes: usize, count: usize, flags: &str) {
        (0..count).for_each(|trial| self.set(trial * modes + mode, "flags", flags));
    }

    pub(crate) fn fail(&mut self, row: usize) {
        self.set(row, "status", "failed");
        self.set(row, "error", "the server counted 39,999 calls and the client claims 40,000");
        self.set(row, "ops_per_s", "");
    }

    pub(crate) fn without(&mut self, name: &str) {
        let column = self.column(name);
        self.header.remove(column);
        self.rows.iter_mut().for_each(|row| drop(row.remove(column)));
    }

    fn column(&self, name: &str) -> usize {
        self.header.iter().position(|column| column == name).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
        writer.write_record(&self.header).unwrap();
        self.rows.iter().for_each(|row| writer.write_record(row).unwrap());
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    }
}

/// A directory in which the program is started.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// With `base.csv` and `new.csv`.
    pub(crate) fn with(base: &Table, new: &Table) -> Self {
        let place = Self::new();
        place.write("base.csv", &base.text());
        place.write("new.csv", &new.text());
        place
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    /// What `orchestrate compare` says.
    pub(crate) fn compare(&self, args: &[&str]) -> Said {
        self.orchestrate(&[&["compare"], args].concat())
    }

    /// What `orchestrate` says.
    pub(crate) fn orchestrate(&self, args: &[&str]) -> Said {
        let output: Output = Command::new(env!("CARGO_BIN_EXE_orchestrate"))
            .args(args)
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Said { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

/// How the program ended, and what it printed.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// The output of `--json`.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }

    /// The verdicts in the output of `--json`, in its order.
    pub(crate) fn verdicts(&self) -> Vec<String> {
        let cells = self.json()["cells"].as_array().unwrap().clone();
        cells.iter().map(|cell| cell["verdict"].as_str().unwrap().to_owned()).collect()
    }
}
