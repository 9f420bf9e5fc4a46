//! What must hold between the workloads of a matrix, its modes, and the settings that only some workloads have.

use super::constraints::{CellChecks, Conflict};
use super::grid::TooTangled;
use super::matrix::Draft;
use super::{Factor, Level};
use crate::setting::ECHO;
use crate::workload::Kind;

impl CellChecks<'_> {
    /// That a mode has the workloads of its cells, and that workloads have the settings that are given.
    pub(super) fn workloads(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        self.modes_have_them(draft)?;
        self.have_their_settings(draft);
        self.weights(draft)?;
        self.options(draft)?;
        self.pipelines(draft)?;
        self.sizes(draft)?;
        self.tasks(draft)
    }

    fn modes_have_them(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        let names = self.names;
        let has = |mode: &Level, kind: &Level| match (mode, kind) {
            (Level::Name(mode), Level::Word(kind)) => {
                names.workloads(mode).is_none_or(|has| has.iter().any(|has| has.name() == *kind))
            }
            _ => true,
        };
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Mode,
                other: Factor::Workload,
                forbids: &|mode, kind| !has(mode, kind),
                says: &|mode, kind| format!("the mode `{mode}` does not have the workload `{kind}`"),
                only: None,
                help: "`orchestrate modes` shows which mode has which workload".to_owned(),
            },
        )
    }

    fn have_their_settings(&mut self, draft: &Draft<'_>) {
        let kinds = draft.column(Factor::Workload);
        let is_one_of = |kind: Kind| kinds.levels.contains(&Some(&Level::Word(kind.name())));
        for &factor in Factor::ALL {
            let given = draft.column(factor);
            // A default stands nowhere.
            let place = draft.place_of(&given, 0);
            let stands = given.axis.is_some() || *place != draft.place;
            let belongs = Kind::ALL.iter().any(|&kind| is_one_of(kind) && factor.belongs_to(kind));
            // A list of levels where some cells have none would measure those again and again.
            let lacks = Kind::ALL.iter().find(|&&kind| is_one_of(kind) && !factor.belongs_to(kind));
            if let Some(kind) = lacks.filter(|_| stands && (!belongs || given.axis.is_some())) {
                self.findings
                    .error(place, format!("the workload `{kind}` has no `{}`", factor.name()))
                    .help(format!("workloads that have it: {}", having(factor)));
            }
        }
        let commands = draft.column(Factor::Commands);
        if is_one_of(Kind::Commands) && commands.levels.contains(&None) {
            self.findings
                .error(draft.place_of(&kinds, 0), "the workload `commands` lists no commands")
                .help("such as commands = [[\"HSET\", \"{key}\", \"f\", \"{value}\"], [\"HGET\", \"{key}\", \"f\"]]");
        }
    }

    fn options(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        let names = self.names;
        let refuses = |options: &Level, mode: &Level| match (options, mode) {
            (Level::Named(options), Level::Name(mode)) => names.refuses(mode, options),
            _ => None,
        };
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Options,
                other: Factor::Mode,
                forbids: &|options, mode| refuses(options, mode).is_some(),
                says: &|options, mode| refuses(options, mode).unwrap_or_default(),
                only: None,
                help: "give modes with other options a matrix of their own".to_owned(),
            },
        )
    }

    fn pipelines(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Pipeline,
                other: Factor::Workload,
                forbids: &|pipeline, kind| {
                    matches!(pipeline, Level::Number(2..)) && of(kind).is_some_and(|kind| !kind.workload().can_pipeline)
                },
                says: &|pipeline, kind| {
                    format!("operations of the workload `{kind}` cannot share a round trip: workload.pipeline = {pipeline}")
                },
                only: None,
                help: "leave `pipeline` out".to_owned(),
            },
        )
    }

    fn sizes(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        let least = |kind: &Level| of(kind).map_or(0, |kind| u64::from(kind.workload().least_value_bytes));
        self.conflict(
            draft,
            &Conflict {
                one: Factor::ValueBytes,
                other: Factor::Workload,
                forbids: &|bytes, kind| matches!(bytes, Level::Number(bytes) if *bytes < least(kind)),
                says: &|bytes, kind| {
                    let noun = of(kind).map_or("values", |kind| kind.workload().noun);
                    format!(
                        "{noun} of the workload `{kind}` have no room in {bytes} bytes for their number and time: {} are needed",
                        least(kind)
                    )
                },
                only: None,
                help: "leave `value_bytes` out, or ask for more".to_owned(),
            },
        )
    }

    fn tasks(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Body,
                other: Factor::Results,
                forbids: &|body, results| {
                    matches!(body, Level::Name(body) if body == ECHO) && *results == Level::Flag(false)
                },
                says: &|_, _| "the result of an `echo` is waited for, so it has to be stored".to_owned(),
                only: None,
                help: "workload.results = true".to_owned(),
            },
        )?;
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Processes,
                other: Factor::Workers,
                forbids: &|processes, workers| {
                    matches!((processes, workers), (Level::Number(processes), Level::Number(workers)) if processes > workers)
                },
                says: &|processes, workers| {
                    format!("{processes} worker programs cannot share {workers} workers: each has one at least")
                },
                only: None,
                help: "ask for as many workers, or for fewer `processes`".to_owned(),
            },
        )
    }

    fn weights(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Weights,
                other: Factor::Commands,
                forbids: &|weights, commands| match (weights, commands) {
                    (Level::Weights(weights), Level::Commands(commands)) => weights.len() != commands.len(),
                    _ => false,
                },
                says: &|weights, commands| {
                    format!("the weights {weights} are not one for each of the commands {commands}")
                },
                only: None,
                help: "give each command a weight".to_owned(),
            },
        )
    }
}

/// The workload of a level.
fn of(level: &Level) -> Option<Kind> {
    match level {
        Level::Word(word) => Kind::of(word),
        _ => None,
    }
}

/// The workloads that have a setting, by their names.
fn having(factor: Factor) -> String {
    let having = Kind::ALL.iter().filter(|&&kind| factor.belongs_to(kind));
    having.map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ")
}
