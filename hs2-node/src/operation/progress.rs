//! How far an operation is, as Hive tells it: a table that beeline draws, and the tasks as JSON.

use hs2_proto::tcli::{JobExecutionStatus, OperationState, ProgressUpdateResp};
use serde_json::{Value, json};

use super::Status;
use crate::engine::Stage;

/// The columns of beeline's table. It draws exactly these nine.
const HEADER: [&str; 9] = [
    "VERTICES",
    "MODE",
    "STATUS",
    "TOTAL",
    "COMPLETED",
    "RUNNING",
    "PENDING",
    "FAILED",
    "KILLED",
];
/// Characters of the first column, which also shows how far its stage is, in dots.
const NAME_CHARS: usize = 16;

/// The table, for an operation of this status with these stages.
pub(super) fn table(status: &Status, stages: &[Stage]) -> ProgressUpdateResp {
    let complete = status.state == OperationState::FINISHED && !status.active;
    let finished = |stage: &Stage| complete || stage.tasks_done == stage.tasks;
    let done = stages.iter().filter(|stage| finished(stage)).count();
    let fraction = if complete {
        1.0
    } else {
        Stage::fraction_of_all(stages)
    };
    ProgressUpdateResp {
        header_names: HEADER.map(str::to_owned).to_vec(),
        rows: stages
            .iter()
            .map(|stage| row(status, complete, stage))
            .collect(),
        progressed_percentage: fraction,
        status: match (stages, complete) {
            ([], _) => JobExecutionStatus::NOT_AVAILABLE,
            (_, true) => JobExecutionStatus::COMPLETE,
            (_, false) => JobExecutionStatus::IN_PROGRESS,
        },
        footer_summary: format!("VERTICES: {done:02}/{:02}", stages.len()),
        start_time: status.started_ms.unwrap_or_default(),
    }
}

fn row(status: &Status, complete: bool, stage: &Stage) -> Vec<String> {
    let done = if complete {
        stage.tasks
    } else {
        stage.tasks_done
    };
    let running = stage.tasks_running.min(stage.tasks - done);
    let left = stage.tasks - done - running;
    let (failed, killed) = match status.state {
        OperationState::ERROR => (running, left),
        OperationState::CANCELED | OperationState::TIMEDOUT | OperationState::CLOSED => {
            (0, running + left)
        }
        _ => (0, 0),
    };
    let stopped = failed + killed > 0;
    let counts = [
        stage.tasks,
        done,
        if stopped { 0 } else { running },
        if stopped { 0 } else { left },
        failed,
        killed,
    ];
    let fraction = if complete { 1.0 } else { stage.fraction() };
    let mut row = vec![
        name(stage, fraction),
        "embedded".to_owned(),
        word(status, stage, done).to_owned(),
    ];
    row.extend(counts.map(|count| count.to_string()));
    row
}

fn word(status: &Status, stage: &Stage, done: usize) -> &'static str {
    match status.state {
        _ if done == stage.tasks => "SUCCEEDED",
        OperationState::ERROR => "FAILED",
        OperationState::CANCELED | OperationState::TIMEDOUT | OperationState::CLOSED => "KILLED",
        _ if stage.tasks_running + done > 0 => "RUNNING",
        _ => "INITED",
    }
}

/// The stage's name, and dots as far as it is.
fn name(stage: &Stage, fraction: f64) -> String {
    let room = NAME_CHARS.saturating_sub(stage.name.chars().count() + 1);
    // A fraction of a few characters.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let dots = (room as f64 * fraction) as usize;
    format!("{} {}", stage.name, ".".repeat(dots))
}

/// The stages as Hive's clients get tasks, with what was read beside it.
pub(super) fn task_status(status: &Status, stages: &[Stage]) -> String {
    let complete = status.state == OperationState::FINISHED && !status.active;
    let tasks = stages.iter().map(|stage| {
        let done = if complete {
            stage.tasks
        } else {
            stage.tasks_done
        };
        json!({
            "taskId": stage.name,
            "taskState": word(status, stage, done),
            "tasks": stage.tasks,
            "tasksCompleted": done,
            "rows": stage.rows.done,
            "rowsExpected": stage.rows.expected,
            "bytes": stage.bytes.done,
            "bytesExpected": stage.bytes.expected,
        })
    });
    Value::Array(tasks.collect()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Amount;

    fn stages() -> [Stage; 2] {
        let map = Stage {
            name: "Map 1".to_owned(),
            tasks: 4,
            tasks_running: 2,
            tasks_done: 1,
            rows: Amount {
                done: 50,
                expected: Some(100),
            },
            ..Stage::default()
        };
        let reducer = Stage {
            name: "Reducer 2".to_owned(),
            tasks: 2,
            ..Stage::default()
        };
        [map, reducer]
    }

    fn status(state: OperationState) -> Status {
        let mut status = Status::new();
        assert!(status.advance(OperationState::RUNNING, None));
        assert!(state == OperationState::RUNNING || status.advance(state, None));
        status
    }

    #[test]
    fn the_table_is_what_beeline_draws() {
        let running = table(&status(OperationState::RUNNING), &stages());
        assert_eq!(
            running.rows[0].join("|"),
            "Map 1 .....|embedded|RUNNING|4|1|2|1|0|0"
        );
        assert_eq!(
            running.rows[1].join("|"),
            "Reducer 2 |embedded|INITED|2|0|0|2|0|0"
        );
        assert_eq!(
            (running.progressed_percentage, running.status),
            (0.25, JobExecutionStatus::IN_PROGRESS)
        );
        assert_eq!(running.footer_summary, "VERTICES: 00/02");
        assert!(running.start_time > 0);

        let failed = table(&status(OperationState::ERROR), &stages());
        assert_eq!(
            failed.rows[0].join("|"),
            "Map 1 .....|embedded|FAILED|4|1|0|0|2|1"
        );
        let canceled = table(&status(OperationState::CANCELED), &stages());
        assert_eq!(
            canceled.rows[1].join("|"),
            "Reducer 2 |embedded|KILLED|2|0|0|0|0|2"
        );

        let mut whole = status(OperationState::FINISHED);
        let coming = table(&whole, &stages());
        assert_eq!(coming.status, JobExecutionStatus::IN_PROGRESS, "rows come");
        whole.end();
        let whole = table(&whole, &stages());
        assert_eq!(
            (whole.progressed_percentage, whole.status),
            (1.0, JobExecutionStatus::COMPLETE)
        );
        assert_eq!(
            whole.rows[0].join("|"),
            "Map 1 ..........|embedded|SUCCEEDED|4|4|0|0|0|0"
        );
        assert_eq!(whole.footer_summary, "VERTICES: 02/02");

        let unknown = table(&status(OperationState::RUNNING), &[]);
        assert_eq!(unknown.status, JobExecutionStatus::NOT_AVAILABLE);
    }

    #[test]
    fn tasks_are_json() {
        let text = task_status(&status(OperationState::RUNNING), &stages()[..1]);
        let tasks: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(tasks[0]["taskId"], "Map 1");
        assert_eq!(
            (&tasks[0]["rows"], &tasks[0]["rowsExpected"]),
            (&json!(50), &json!(100))
        );
        assert_eq!(tasks[0]["bytesExpected"], Value::Null);
    }
}
