//! The program itself, ended by a signal while it sends.

use std::collections::BTreeMap;
use std::error::Error;
use std::process::{Child, Command, Stdio};
use std::slice::from_ref;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use crate::broker::Broker;
use crate::scenarios::{Outcome, client, end, expect, read};

/// `produce`, which is given numbers from 0 on without an end.
struct Program {
    numbers: Child,
    produce: Child,
}

/// How the program ended.
struct Ended {
    is_whole: bool,
    /// Of the lines, by the words of its report.
    lines: BTreeMap<String, usize>,
    took: Duration,
}

impl Program {
    fn start(broker: &Broker, topic: &str) -> Result<Self, Box<dyn Error>> {
        let mut numbers = Command::new("seq").args(["0", "1000000000"]).stdout(Stdio::piped()).spawn()?;
        let at = format!("127.0.0.1:{}", broker.port());
        // It lies beside this program.
        let mut produce = Command::new(std::env::current_exe()?.with_file_name("landfall-kafka"));
        produce.args(["produce", "--bootstrap", &at, "--topic", topic]);
        produce.stdin(numbers.stdout.take().ok_or("no numbers")?).stderr(Stdio::piped());
        Ok(Self { numbers, produce: produce.spawn()? })
    }

    fn end(mut self) -> Result<Ended, Box<dyn Error>> {
        let start = Instant::now();
        kill_process(Pid::from_child(&self.produce), Signal::TERM)?;
        let output = self.produce.wait_with_output()?;
        let took = start.elapsed();
        // Without a reader it ends by itself, unless it waits.
        self.numbers.kill()?;
        self.numbers.wait()?;
        let said = String::from_utf8(output.stderr)?;
        let report = said.lines().rev().find_map(|line| line.strip_prefix("lines: ")).ok_or_else(|| said.clone())?;
        let count = |part: &str| Some((part.split_once(' ')?.1.to_owned(), part.split_once(' ')?.0.parse().ok()?));
        let lines = report.split(", ").filter_map(count).collect();
        expect(said.contains("clean: nothing is left"), || said.clone())?;
        Ok(Ended { is_whole: output.status.success(), lines, took })
    }
}

impl Ended {
    fn of(&self, word: &str) -> usize {
        self.lines.get(word).copied().unwrap_or_default()
    }

    /// All that was read is told, and the exit code says whether it was sent.
    fn is_told(&self) -> Result<(), Box<dyn Error>> {
        let (read, all) = (self.of("read"), self.lines.values().sum::<usize>());
        expect(read > 0 && all == 2 * read && self.is_whole == (self.of("sent") == read), || {
            format!("exit code 0: {}, and {:?}", self.is_whole, self.lines)
        })
    }
}

/// A signal under load, then one while the broker is stopped: what it says of its lines is what is there.
pub(crate) async fn is_ended(broker: &mut Broker) -> Outcome {
    broker.up("program").await?;
    let program = Program::start(broker, "program")?;
    sleep(Duration::from_secs(2)).await;
    let under_load = program.end()?;
    under_load.is_told()?;
    // But for a line of which it had the begin.
    let is_sent = under_load.of("read") - under_load.of("sent") == under_load.of("not sent").min(1);
    expect(is_sent, || format!("not all was sent: {:?}", under_load.lines))?;
    are_there(broker, "program", under_load.of("sent")..=under_load.of("sent")).await?;

    broker.up("program-stopped").await?;
    let program = Program::start(broker, "program-stopped")?;
    sleep(Duration::from_secs(2)).await;
    broker.stop().await?;
    sleep(Duration::from_secs(1)).await;
    let ended = program.end();
    // Whatever came of it: the next scenario needs it.
    broker.go_on()?;
    let outage = ended?;
    outage.is_told()?;
    expect(!outage.is_whole && outage.took < Duration::from_secs(15), || {
        format!("{:?} in {:?}", outage.lines, outage.took)
    })?;
    let sent = outage.of("sent");
    let there = are_there(broker, "program-stopped", sent..=sent + outage.of("unknown")).await?;
    Ok(format!(
        "{} lines were sent under load, ended in {:?}; in an outage {sent} of {}, {there} are there, ended in {:?}",
        under_load.of("sent"),
        under_load.took,
        outage.of("read"),
        outage.took
    ))
}

/// The first numbers are there in order, so many of them; gives how many.
async fn are_there(
    broker: &Broker,
    topic: &str,
    counts: std::ops::RangeInclusive<usize>,
) -> Result<usize, Box<dyn Error>> {
    let (kafka, producer, mut consumer) = client(broker, topic).await?;
    let Ok(Ok(last)) = producer.send(landfall_kafka::Message::new("last"))?.await else {
        return Err("the last record was not written".into());
    };
    let count = usize::try_from(last)?;
    expect(counts.contains(&count), || format!("{count} records are there, and {counts:?} were to be"))?;
    let records = read(&mut consumer, count + 1).await?;
    let is_right = (0..count).map(|number| number.to_string()).chain(["last".to_owned()]).eq(records.into_values());
    expect(is_right, || "what is there is not what was sent".to_owned())?;
    end(&kafka, from_ref(broker)).await?;
    Ok(count)
}
