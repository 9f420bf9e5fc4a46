//! The workflow of examples/ci, carried out without GitHub: each step as it stands in the YAML, with real clients and a real
//! server. The library is made to sleep after each command, and a change that slows it down makes it sleep twenty times as long,
//! so that the verdict is the same on a machine that is overloaded. `make ci-example` shows the same with a slowdown of 10%.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use yaml_rust2::{Yaml, YamlLoader};

/// Milliseconds that the library sleeps after each command where nobody has slowed it down.
const PACE: u32 = 5;

/// The same after a change that slows it down.
const SLOWED: u32 = 100;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml(path: &str) -> Yaml {
    let text = fs::read_to_string(root().join(path)).expect("it is kept here");
    YamlLoader::load_from_str(&text).expect("it is YAML").remove(0)
}

/// The keys of a mapping and their values, as text.
fn entries(mapping: &Yaml) -> BTreeMap<String, String> {
    let Some(hash) = mapping.as_hash() else { return BTreeMap::new() };
    let text = |yaml: &Yaml| yaml.as_str().expect("keys and values are text").to_owned();
    hash.iter().map(|(key, value)| (text(key), text(value))).collect()
}

/// What stands for the expressions of a workflow.
#[derive(Clone, Default)]
struct Context(BTreeMap<String, String>);

impl Context {
    /// A text with the values of its expressions.
    fn fill(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, behind) = after.split_once("}}").expect("an expression ends");
            let expression = expression.trim();
            let value = self.0.get(expression).unwrap_or_else(|| panic!("`{expression}` is not known here"));
            filled = filled + before + value;
            rest = behind;
        }
        filled + rest
    }

    /// Whether a condition holds, if `failed` says whether a step before has failed.
    fn holds(&self, condition: Option<&str>, failed: bool) -> bool {
        let Some(condition) = condition else { return !failed };
        let inner = condition.trim().trim_start_matches("${{").trim_end_matches("}}");
        let terms: Vec<&str> = inner.split("&&").map(str::trim).collect();
        let is_so = |term: &&str| match term.split_once(' ') {
            None => *term == "always()" || panic!("`{term}` is not known here"),
            Some((name, "== ''")) => self.0[name].is_empty(),
            Some((name, "!= ''")) => !self.0[name].is_empty(),
            _ => panic!("`{term}` is not known here"),
        };
        (terms.contains(&"always()") || !failed) && terms.iter().all(is_so)
    }
}

/// A job on a runner of its own.
struct Job {
    workspace: tempfile::TempDir,
    /// What was uploaded, by the name of the artifact.
    artifacts: BTreeMap<String, PathBuf>,
    stderr: String,
}

impl Job {
    fn new() -> Self {
        // Short, because paths of Unix sockets are.
        let workspace = tempfile::Builder::new().prefix("orc").tempdir_in("/tmp").expect("it can be made");
        fs::create_dir(workspace.path().join("tmp")).expect("it can be made");
        Self { workspace, artifacts: BTreeMap::new(), stderr: String::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.workspace.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn edit(&self, name: &str, edits: &[(&str, &str)]) {
        let mut text = self.read(name);
        for (before, after) in edits {
            assert_eq!(text.matches(before).count(), 1, "{name}: {before}");
            text = text.replace(before, after);
        }
        fs::write(self.path(name), text).expect("it can be written");
    }

    /// Makes the library sleep so long after each command.
    fn pace(&self, side: &str, milliseconds: u32) {
        let reply =
            format!("reply = self.reply()\n        time.sleep({milliseconds} / 1000)\n        return reply");
        let edits = [("import socket", "import socket\nimport time"), ("return self.reply()", &reply)];
        self.edit(&format!("{side}/plainredis.py"), &edits);
    }

    /// Carries out the workflow on a pull request that makes this change to both checkouts. `with` are inputs of the action
    /// beside those of the workflow. Returns the exit code of the job's last step that failed, or 0.
    fn carry_out(&mut self, change: impl Fn(&Self), with: &[(&str, &str)]) -> i32 {
        let workflow = yaml("examples/ci/performance.yml");
        let known =
            ["github.sha", "github.event.pull_request.base.sha", "github.event.pull_request.head.sha"];
        let context = Context(known.map(|name| (name.to_owned(), format!("the {name}"))).into());
        let steps = workflow["jobs"]["compare"]["steps"].as_vec().expect("the job has steps");
        let (measuring, checkouts) = steps.split_last().expect("the job has steps");
        for step in checkouts {
            assert!(step["uses"].as_str().expect("it uses an action").starts_with("actions/checkout@"));
            let path = self.path(step["with"]["path"].as_str().expect("each side has a directory"));
            copy(&root().join("examples/ci"), &path);
        }
        change(self);
        let action = measuring["uses"].as_str().expect("it uses an action");
        assert!(action.starts_with("fpierfed/orchestrate@v"), "{action}");
        let mut inputs = entries(&measuring["with"]);
        inputs.extend(with.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        inputs.insert("program".to_owned(), env!("CARGO_BIN_EXE_orchestrate").to_owned());
        self.act(&inputs, &context)
    }

    /// Carries out action.yml.
    fn act(&mut self, given: &BTreeMap<String, String>, outer: &Context) -> i32 {
        let action = yaml("action.yml");
        assert_eq!(action["runs"]["using"].as_str(), Some("composite"));
        let mut context = outer.clone();
        let declared = action["inputs"].as_hash().expect("the action has inputs");
        for (name, about) in declared {
            let name = name.as_str().expect("a name is text");
            let value = given.get(name).map(String::as_str).or(about["default"].as_str());
            let value = value.unwrap_or_else(|| panic!("the input {name} is required"));
            context.0.insert(format!("inputs.{name}"), outer.fill(value));
        }
        for name in given.keys() {
            assert!(context.0.contains_key(&format!("inputs.{name}")), "the action has no input {name}");
        }
        let mut code = 0;
        for step in action["runs"]["steps"].as_vec().expect("the action has steps") {
            if !context.holds(step["if"].as_str(), code != 0) {
                continue;
            }
            match (step["run"].as_str(), step["uses"].as_str()) {
                (Some(run), None) => {
                    assert_eq!(step["shell"].as_str(), Some("bash"), "a step of an action names its shell");
                    let env = entries(&step["env"]);
                    let env = env.iter().map(|(name, value)| (name.clone(), context.fill(value))).collect();
                    let ended = self.bash(run, &env);
                    code = if ended == 0 { code } else { ended };
                }
                (None, Some(uses)) if uses.starts_with("actions/upload-artifact@") => {
                    let [name, path] = ["name", "path"].map(|key| {
                        context.fill(step["with"][key].as_str().expect("an artifact has a name and a path"))
                    });
                    self.artifacts.insert(name, self.path(&path));
                }
                _ => panic!("this step cannot be carried out here: {step:?}"),
            }
        }
        code
    }

    /// As a runner starts it.
    fn bash(&mut self, script: &str, env: &BTreeMap<String, String>) -> i32 {
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script])
            .current_dir(self.workspace.path())
            .env("GITHUB_ACTION_PATH", root())
            .env("GITHUB_STEP_SUMMARY", self.path("summary"))
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("TMPDIR", self.path("tmp"))
            .env("NO_COLOR", "1")
            .envs(env)
            .stdin(Stdio::null())
            .output()
            .expect("bash can be started");
        self.stderr += &String::from_utf8_lossy(&output.stderr);
        output.status.code().expect("it ended by itself")
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it can be made");
    for entry in fs::read_dir(from).expect("it can be listed") {
        let entry = entry.expect("it can be listed").path();
        let target = to.join(entry.file_name().expect("it has a name"));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            fs::copy(&entry, target).expect("it can be copied");
        }
    }
}

/// As little as shows the difference. A trial is long enough that two clocks agree about it on a busy machine too.
fn shortened(job: &Job, repetitions: u32) {
    let repetitions = format!("repetitions = {repetitions}");
    let edits = [
        ("repetitions = 40", repetitions.as_str()),
        ("operations = 5_000", "duration = \"600ms\""),
        ("warmup      = \"200ms\"", "warmup = \"20ms\""),
    ];
    job.edit("head/bench/compare.toml", &edits);
}

#[test]
fn a_pull_request_that_changes_nothing_passes() {
    let mut job = Job::new();
    let change = |job: &Job| {
        shortened(job, 5);
        ["base", "head"].iter().for_each(|side| job.pace(side, PACE));
    };
    let code = job.carry_out(change, &[("fail-on-slower", "80%")]);
    let summary = job.read("summary");
    assert_eq!(code, 0, "{summary}{}", job.stderr);
    assert!(summary.contains("**Passed**: no cell was found to be slower by more than 80%."), "{summary}");
    assert!(summary.contains("Base: mode base. New: mode head."), "{summary}");
    assert_eq!(job.read("output"), "exit-code=0\nresults=orchestrate-results\n");

    let results = &job.artifacts["orchestrate-results"];
    let comparison = fs::read_to_string(results.join("comparison.json")).expect("it is uploaded");
    let comparison: serde_json::Value = serde_json::from_str(&comparison).expect("it is JSON");
    assert_eq!(comparison["cells"].as_array().expect("cells are a list").len(), 1);
    let mut runs = fs::read_dir(results.join("pull-request")).expect("the run is uploaded");
    let run = runs.next().expect("there is a run").expect("it can be listed").path();
    assert!(runs.next().is_none(), "one run has both sides");
    let provenance = fs::read_to_string(run.join("run.json")).expect("a run has one");
    let provenance: serde_json::Value = serde_json::from_str(&provenance).expect("it is JSON");
    let labels = &provenance["sessions"][0]["labels"];
    assert_eq!(labels["base"], "the github.event.pull_request.base.sha");
    assert_eq!(labels["head"], "the github.event.pull_request.head.sha");
}

#[test]
fn a_pull_request_that_slows_the_library_down_fails() {
    let mut job = Job::new();
    let change = |job: &Job| {
        shortened(job, 5);
        job.pace("base", PACE);
        job.pace("head", SLOWED);
    };
    let code = job.carry_out(change, &[]);
    let summary = job.read("summary");
    assert_eq!(code, 1, "{summary}{}", job.stderr);
    assert!(summary.contains("**Failed**: 1 cell is slower by more than 5%"), "{summary}");
    assert!(summary.contains("| slower |"), "{summary}");
    assert!(job.stderr.contains("error: 1 cell is slower by more than 5%"), "{}", job.stderr);
    assert_eq!(job.read("output"), "exit-code=1\nresults=orchestrate-results\n");
    assert!(job.artifacts.contains_key("orchestrate-results"), "results are uploaded after a failure too");
}

#[test]
fn too_few_repetitions_are_undecided_and_the_number_that_is_needed_is_said() {
    let mut job = Job::new();
    let change = |job: &Job| {
        shortened(job, 2);
        ["base", "head"].iter().for_each(|side| job.pace(side, PACE));
    };
    let code = job.carry_out(change, &[]);
    let summary = job.read("summary");
    assert_eq!(code, 4, "{summary}{}", job.stderr);
    assert!(summary.contains("**Undecided**: 1 of 1 cells is undecided"), "{summary}");
    assert!(summary.contains("not enough repetitions (need n ≥ 5)"), "{summary}");
    assert!(job.stderr.contains("measure with at least 5 repetitions"), "{}", job.stderr);

    // A second run would be compared together with the first one.
    let again = job.bash(
        "EXPERIMENT=head/bench/compare.toml \"$GITHUB_ACTION_PATH/action/compare\"",
        &BTreeMap::from([("ORCHESTRATE".to_owned(), env!("CARGO_BIN_EXE_orchestrate").to_owned())]),
    );
    assert_eq!(again, 2);
    assert!(job.stderr.contains("orchestrate-results is not empty"), "{}", job.stderr);
}

#[test]
fn a_run_that_cannot_measure_ends_with_its_own_exit_code() {
    let mut job = Job::new();
    let change = |job: &Job| job.edit("head/bench/compare.toml", &[("\"head\"]", "\"haed\"]")]);
    assert_eq!(job.carry_out(change, &[]), 2);
    assert!(job.stderr.contains("unknown mode `haed`"), "{}", job.stderr);
    assert_eq!(job.read("output"), "exit-code=2\nresults=orchestrate-results\n");
}

#[test]
fn the_key_of_the_cache_is_one_line_of_a_steps_output() {
    let mut job = Job::new();
    let steps = yaml("action.yml")["runs"]["steps"].clone();
    let run = steps[0]["run"].as_str().expect("the first step is a command").to_owned();
    assert_eq!(job.bash(&run, &BTreeMap::new()), 0, "{}", job.stderr);
    let output = job.read("output");
    let key = output.strip_prefix("key=").and_then(|rest| rest.strip_suffix('\n')).expect("it is one key");
    assert!(key.len() == 16 && key.chars().all(|c| c.is_ascii_hexdigit()), "{output}");
}
