//! The arguments of the command line. Only structs: what they mean is decided in `commands`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::analysis::metric::Metric;
use crate::experiment::{Labels, LoadGenerator};
use crate::units::without_comma;

/// Trustworthy experiments on ways of talking to Redis.
///
/// `orchestrate FILE` runs the experiment that FILE describes: every combination of its hosts, servers, modes,
/// workers and settings, in shuffled blocks, each trial checked against what the server itself counted. Results
/// are tidy CSV under results/. The same command again continues a run that was stopped.
#[derive(Debug, Parser)]
#[command(
    name = "orchestrate",
    version,
    subcommand_negates_reqs = true,
    subcommand_precedence_over_arg = true,
    arg_required_else_help = true,
    override_usage = "orchestrate [OPTIONS] <FILE>\n       orchestrate [OPTIONS] <COMMAND>",
    after_help = "Exit codes: 0 complete, 1 some trials failed or something is slower than it may be, 2 the file or the command line is wrong, \
                  3 a host or a server is unavailable, 4 `compare` could not judge every cell, 130 interrupted."
)]
pub struct Cli {
    /// What to do; running an experiment when nothing else is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The experiment to run.
    #[command(flatten)]
    pub run: RunArgs,
    /// How to talk.
    #[command(flatten)]
    pub talk: TalkArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an experiment (the same as naming the file alone)
    Run(RunArgs),
    /// Show the cells and trials of an experiment, in order, and how long they may take
    Plan(PlanArgs),
    /// Say what is wrong with an experiment file, all of it at once
    Check(CheckArgs),
    /// Write a commented experiment file to start from
    Init(InitArgs),
    /// Say what this machine lacks and the command that mends it
    Doctor(DoctorArgs),
    /// List the modes and what each can do
    Modes(ModesArgs),
    /// Say which cells are faster or slower than before, or with another level of a factor
    Compare(CompareArgs),
    /// Write the CSV files of a run anew from its journal, or its results in another tool's format
    Export(ExportArgs),
    /// Make a page with answers, figures and tables from the results of any number of runs
    Report(ReportArgs),
    /// Print the JSON Schema of experiment files
    Schema,
    /// Print shell completions
    Completions(CompletionsArgs),
    /// Print the man page
    Man,
    /// Serve as the agent of this host (JSON lines on standard input and output)
    Agent(AgentArgs),
    /// Carry out one trial in a built-in mode (JSON lines on standard input and output), or check a driver
    Driver(DriverArgs),
}

/// How to talk.
#[derive(Clone, Debug, Default, Args)]
pub struct TalkArgs {
    /// Say nothing but errors and the result
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more on standard error; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Log JSON lines on standard error in place of progress
    #[arg(long, global = true)]
    pub json_logs: bool,
}

/// Which experiment to run, and where its results go.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// The experiment file
    #[arg(required = true, value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// Where runs are kept
    #[arg(long, value_name = "DIR", default_value = "results", value_hint = ValueHint::DirPath)]
    pub results: PathBuf,
    /// Start a new run even if an unfinished one could be continued
    #[arg(long)]
    pub fresh: bool,
    /// Wait while another run has a host or the run's directory, rather than end with 3
    #[arg(long)]
    pub wait: bool,
    /// Label the run for reports and comparisons, such as commit=1f3c9a2; may be repeated, and overrides `[run] labels`
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) =
        text.split_once('=').ok_or("it must be a name and a value, such as commit=1f3c9a2")?;
    Labels::default().set(name, value).map_err(|error| error.to_string())?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Which plan to show, and how.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// The experiment file
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Only count, list nothing
    #[arg(long)]
    pub count: bool,
    /// JSON lines: a summary, then one line per trial
    #[arg(long)]
    pub json: bool,
}

/// Which files to check.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Experiment files
    #[arg(required = true, value_hint = ValueHint::FilePath)]
    pub files: Vec<PathBuf>,
}

/// Where to begin.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The file to write
    #[arg(default_value = "experiment.toml", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,
}

/// What to examine.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// An experiment file: also look for what it needs
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
}

/// Which modes to list.
#[derive(Debug, Args)]
pub struct ModesArgs {
    /// An experiment file: also list its own modes
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// JSON in place of a table
    #[arg(long)]
    pub json: bool,
}

/// Which run to export.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Runs, such as results/sweep/20260309T101500Z-mac, or experiments, such as results/sweep
    #[arg(required = true, value_hint = ValueHint::DirPath)]
    pub runs: Vec<PathBuf>,
    /// Print the table of the article as Markdown too
    #[arg(long)]
    pub markdown: bool,
    /// Print the results of one run for another tool, and write nothing into its directory
    #[arg(long, value_name = "FORMAT", conflicts_with = "markdown")]
    pub format: Option<ExportFormat>,
    /// With --format github-action-benchmark: what to export
    #[arg(long, value_name = "COLUMN", default_value = Metric::OpsPerS.column(), requires = "format", value_parser = metric())]
    pub metric: Metric,
    /// With --format: the file to write, in place of standard output
    #[arg(short, long, value_name = "FILE", requires = "format", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// The formats of other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// JSON for the action benchmark-action/github-action-benchmark, of one metric
    GithubActionBenchmark,
    /// Bencher Metric Format (JSON), of all metrics
    Bencher,
    /// Log of HdrHistogram (V2), of all latencies
    Hdr,
}

/// What to compare with what, and how to say it.
#[derive(Debug, Args)]
#[command(
    override_usage = "orchestrate compare [OPTIONS] <BASE> <NEW>\n       orchestrate compare [OPTIONS] --factor <FACTOR=BASE,NEW> <RESULTS>...",
    after_help = "BASE, NEW and RESULTS are a trials.csv, a run's directory, a directory with runs below it (all of \
                  them are read), or a pattern in quotation marks.\n\nExit codes: 0 compared, 1 something is slower than \
                  --fail-on-slower allows, 2 the command line is wrong or there is nothing to compare, 3 something cannot \
                  be read, 4 with --fail-on-slower: nothing was found to be slower, but a cell could not be judged."
)]
pub struct CompareArgs {
    /// BASE and NEW; with --factor, everything that has the two levels
    #[arg(required = true, value_name = "RESULTS", value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,
    /// Compare two levels of a factor, such as mode=sync,async, where all other settings are the same
    #[arg(long, value_name = "FACTOR=BASE,NEW", value_parser = contrast)]
    pub factor: Option<Contrast>,
    /// What to compare
    #[arg(long, value_name = "COLUMN", default_value = Metric::OpsPerS.column(), value_parser = metric())]
    pub metric: Metric,
    /// Exit with 1 if a cell is slower by more than this, judged on the interval and never on the point
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub fail_on_slower: Option<f64>,
    /// With --fail-on-slower: do not exit with 4 where a cell could not be judged
    #[arg(long, requires = "fail_on_slower")]
    pub allow_undecided: bool,
    /// CSV in place of a table
    #[arg(long, group = "format")]
    pub csv: bool,
    /// JSON in place of a table
    #[arg(long, group = "format")]
    pub json: bool,
    /// Markdown in place of a table
    #[arg(long, group = "format")]
    pub markdown: bool,
}

/// A metric by its column.
fn metric() -> impl TypedValueParser<Value = Metric> {
    let named = |column: String| Metric::all().find(|metric| metric.column() == column);
    let columns = PossibleValuesParser::new(Metric::all().map(Metric::column));
    columns.try_map(move |column| named(column).ok_or("it is not a metric"))
}

/// Two levels of a factor.
#[derive(Clone, Debug)]
pub struct Contrast {
    /// Its column.
    pub factor: String,
    /// The level that is compared against.
    pub base: String,
    /// The level that is asked about.
    pub new: String,
}

fn contrast(text: &str) -> Result<Contrast, String> {
    let parts = text.split_once('=').and_then(|(factor, levels)| Some((factor, levels.split_once(',')?)));
    match parts {
        Some((factor, (base, new))) if !new.contains(',') && base != new => {
            Ok(Contrast { factor: factor.to_owned(), base: base.to_owned(), new: new.to_owned() })
        }
        _ => Err("it must be a factor and two of its levels, such as mode=sync,async".to_owned()),
    }
}

/// A share from a text such as `5%`.
fn percent(text: &str) -> Result<f64, String> {
    without_comma(text)?;
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    number
        .filter(|number| (0.0..100.0).contains(number))
        .map(|number| number / 100.0)
        .ok_or_else(|| "it must be a percentage from 0% to less than 100%, such as 5%".to_owned())
}

/// What to report on, and where the report goes.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Run directories, directories of experiments, trials.csv files, or patterns of them
    #[arg(required = true, value_hint = ValueHint::AnyPath)]
    pub results: Vec<PathBuf>,
    /// The page [default: report.html, in the run's directory if there is only one]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Also write each figure as SVG and PNG [default DIR: figures beside the page]
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, value_hint = ValueHint::DirPath)]
    pub figures: Option<Option<PathBuf>>,
    /// Print the answers and tables as Markdown, for a README; no page unless --output names one
    #[arg(long)]
    pub markdown: bool,
}

/// Which shell.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Whose driver to be, or what to check.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DriverArgs {
    /// Check a driver
    #[command(subcommand)]
    pub command: Option<DriverCommand>,
    /// Carry the trial out with this load generator in place of a built-in mode
    #[arg(long, value_name = "NAME", requires = "argv", value_parser = load_generator)]
    pub load_generator: Option<LoadGenerator>,
    /// The load generator's program, and options to come behind those that are written for it
    #[arg(last = true, value_name = "COMMAND", requires = "load_generator")]
    pub argv: Vec<String>,
}

/// What to do with a driver.
#[derive(Debug, Subcommand)]
pub enum DriverCommand {
    /// Test a driver against the protocol, with a redis-server of its own, and say what it gets wrong
    Check(DriverCheckArgs),
}

/// Which driver to check.
#[derive(Debug, Args)]
pub struct DriverCheckArgs {
    /// The mode that the driver is asked for
    #[arg(long, value_name = "NAME", default_value = "check")]
    pub mode: String,
    /// How long the driver may take for each step, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub timeout: u64,
    /// Carry out only the first test, and those with this text in their names; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub only: Vec<String>,
    /// The server's program
    #[arg(long, value_name = "PROGRAM", default_value = "redis-server")]
    pub server: String,
    /// The command is no driver but this load generator
    #[arg(long, value_name = "NAME", value_parser = load_generator)]
    pub load_generator: Option<LoadGenerator>,
    /// The driver: program and arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub argv: Vec<String>,
}

fn load_generator(name: &str) -> Result<LoadGenerator, String> {
    LoadGenerator::ALL.into_iter().find(|generator| generator.name() == name).ok_or_else(|| {
        let names = LoadGenerator::ALL.map(LoadGenerator::name);
        format!("it must be one of {}", names.join(", "))
    })
}

/// How to serve.
#[derive(Debug, Args)]
pub struct AgentArgs {
    /// The file whose lock keeps two coordinators off this host [default: a file with the host's name in the directory
    /// orchestrate below $XDG_STATE_HOME (else ~/.local/state) and below $XDG_RUNTIME_DIR, or in $TMPDIR alone if only
    /// this user may write there]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub lock: Option<PathBuf>,
}
