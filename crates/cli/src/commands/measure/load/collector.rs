//! The collector's trace: one line per collection on stderr, if `GODEBUG` has `gctrace=1`.

/// The collections in a part of a daemon's log.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Collections {
    /// Their number.
    pub(super) count: u64,
    /// Their processor time in milliseconds.
    pub(super) milliseconds: f64,
}

impl Collections {
    /// Reads the lines of the trace among others. The format is in the documentation of Go's package `runtime`.
    pub(super) fn read(log: &str) -> Self {
        let mut all = Self::default();
        for milliseconds in log.lines().filter_map(processor_time) {
            all.count += 1;
            all.milliseconds += milliseconds;
        }
        all
    }
}

/// Returns the processor time in a line of the trace: its fields `A+B/C/D+E ms cpu` are the time with the world stopped,
/// of goroutines that had to help, of the collector's own, of otherwise idle processors, and with the world stopped again.
/// The idle time is not counted, because no traffic waited for it.
fn processor_time(line: &str) -> Option<f64> {
    let (before, _) = line.strip_prefix("gc ")?.split_once(" ms cpu")?;
    let times = before.rsplit_once(' ')?.1.split(['+', '/']).map(str::parse::<f64>);
    times
        .collect::<Result<Vec<f64>, _>>()
        .ok()
        .filter(|times| times.len() == 5)
        .map(|times| times.iter().sum::<f64>() - times[3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_is_read_among_other_lines() {
        let log = "wgengine: gc 1 ms cpu\n\
            gc 7 @2.104s 3%: 0.018+1.2+0.005 ms clock, 0.50+0.25/1.25/9+0.5 ms cpu, 4->4->2 MB, 5 MB goal, 0 MB stacks, 0 MB globals, 2 P\n\
            gc 8 @2.204s 3%: 0.018+1.2+0.005 ms clock, 1+1/1/0+1 ms cpu, 4->4->2 MB, 5 MB goal, 0 MB stacks, 0 MB globals, 2 P (forced)\n\
            gc 9 @2.3";
        assert_eq!(Collections::read(log), Collections { count: 2, milliseconds: 6.5 });
    }
}
