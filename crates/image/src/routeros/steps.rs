//! The steps of an update, and what each does to the containers of a router.
//!
//! The printed script consists of the commands of these steps. The tests run the same steps on a model of the containers
//! and let every one of them fail.

/// A step of an update. `Old` is the container that runs before it, `New` the one that is to replace it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Adds the mounts of the new state and, read by the new container, of the old one; names this update; removes what an
    /// earlier container in the new place reported.
    Prepare,
    /// Adds the new container. It does not start on boot.
    AddNew,
    /// Waits until the image is unpacked.
    AwaitUnpacked,
    /// Stops the old container.
    StopOld,
    /// Waits until it is stopped: two daemons never run as one node.
    AwaitOldStopped,
    /// Starts the new container. Its entrypoint copies the old state before the daemon starts.
    StartNew,
    /// Waits until the new node is running and connected to the control server.
    AwaitReady,
    /// The old container no longer starts on boot.
    UnbootOld,
    /// The new container starts on boot. From here on, the update is done.
    BootNew,
}

/// The steps in their order.
pub(super) const UPDATE: [Step; 9] = [
    Step::Prepare,
    Step::AddNew,
    Step::AwaitUnpacked,
    Step::StopOld,
    Step::AwaitOldStopped,
    Step::StartNew,
    Step::AwaitReady,
    Step::UnbootOld,
    Step::BootNew,
];

/// A step of the way back. Each is done if it applies, after a failure of any step of the update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Back {
    /// Stops the new container, if it runs, and waits until it is stopped.
    StopNew,
    /// Removes the new container, if there is one.
    RemoveNew,
    /// The old container starts on boot again.
    BootOld,
    /// Waits until the old container is stopped, if its stop was requested, and starts it.
    StartOld,
}

/// The steps of the way back in their order.
pub(super) const BACK: [Back; 4] = [Back::StopNew, Back::RemoveNew, Back::BootOld, Back::StartOld];

#[cfg(test)]
mod tests {
    use super::*;

    /// A container of the model.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Container {
        is_unpacked: bool,
        is_running: bool,
        starts_on_boot: bool,
        /// The state that its daemon writes.
        state: usize,
    }

    /// The containers of a router and their two states, as text.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Router {
        old: Option<Container>,
        new: Option<Container>,
        states: [String; 2],
        /// Whether the folder of the new state has the file that reports a connected node.
        is_ready: bool,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Failure {
        Before,
        After,
    }

    impl Router {
        fn installed() -> Self {
            let old = Container { is_unpacked: true, is_running: true, starts_on_boot: true, state: 0 };
            // The other place holds what an earlier update left there.
            Self { old: Some(old), new: None, states: ["key".to_owned(), "an older state".to_owned()], is_ready: true }
        }

        /// Holds after every command: one daemon at most, and none on the state of another.
        fn check(&self) {
            let running = [&self.old, &self.new].into_iter().flatten().filter(|container| container.is_running).count();
            assert!(running <= 1, "two daemons are one node: {self:?}");
            assert_eq!(self.states[0], "key", "the old state is unchanged: {self:?}");
        }

        fn apply(&mut self, step: Step) -> Result<(), ()> {
            match step {
                Step::Prepare => {
                    self.is_ready = false;
                    Ok(())
                }
                Step::AddNew if self.new.is_some() => Err(()),
                Step::AddNew => {
                    self.new =
                        Some(Container { is_unpacked: false, is_running: false, starts_on_boot: false, state: 1 });
                    Ok(())
                }
                Step::AwaitUnpacked => self.new.as_mut().map(|new| new.is_unpacked = true).ok_or(()),
                Step::StopOld => self.old.as_mut().map(|old| old.is_running = false).ok_or(()),
                Step::AwaitOldStopped => (!self.old.as_ref().ok_or(())?.is_running).then_some(()).ok_or(()),
                Step::StartNew => {
                    let new = self.new.as_mut().filter(|new| new.is_unpacked).ok_or(())?;
                    new.is_running = true;
                    assert!(!self.is_ready, "the router would look before the entrypoint has removed an old report");
                    // The entrypoint copies, then the daemon writes.
                    self.states[new.state] = self.states[1 - new.state].clone() + " and later changes";
                    Ok(())
                }
                Step::AwaitReady => {
                    self.is_ready = self.new.as_ref().is_some_and(|new| new.is_running);
                    self.is_ready.then_some(()).ok_or(())
                }
                Step::UnbootOld => self.old.as_mut().map(|old| old.starts_on_boot = false).ok_or(()),
                Step::BootNew => self.new.as_mut().map(|new| new.starts_on_boot = true).ok_or(()),
            }
        }

        fn go_back(&mut self, step: Back) {
            match step {
                Back::StopNew => self.new.iter_mut().for_each(|new| new.is_running = false),
                Back::RemoveNew => self.new = None,
                Back::BootOld => self.old.iter_mut().for_each(|old| old.starts_on_boot = true),
                Back::StartOld => self.old.iter_mut().for_each(|old| old.is_running = true),
            }
        }

        /// The router loses power: what is stopped stays so unless it starts on boot.
        fn restart(&mut self) {
            for container in [&mut self.old, &mut self.new].into_iter().flatten() {
                container.is_running = container.starts_on_boot;
            }
        }
    }

    #[test]
    fn update_without_a_failure_runs_the_new_node_on_a_copy() {
        let mut router = Router::installed();
        for step in UPDATE {
            router.apply(step).unwrap();
            router.check();
        }
        let new = router.new.as_ref().unwrap();
        assert!(new.is_running && new.starts_on_boot);
        assert_eq!(router.states, ["key", "key and later changes"]);
        router.restart();
        router.check();
        assert!(router.new.unwrap().is_running && !router.old.unwrap().is_running);
    }

    #[test]
    fn update_with_any_step_failing_runs_the_old_node_with_its_state() {
        for (failing, when) in UPDATE.iter().flat_map(|step| [(*step, Failure::Before), (*step, Failure::After)]) {
            let mut router = Router::installed();
            for step in UPDATE {
                if step != failing || when == Failure::After {
                    router.apply(step).unwrap();
                    router.check();
                }
                if step == failing {
                    break;
                }
            }
            for step in BACK {
                router.go_back(step);
                router.check();
            }
            let installed = Router::installed();
            assert_eq!((router.old, router.new), (installed.old, installed.new), "{failing:?} {when:?}");
        }
    }

    #[test]
    fn power_loss_at_any_step_leaves_at_most_one_daemon_and_the_old_state() {
        for count in 0..=UPDATE.len() {
            let mut router = Router::installed();
            UPDATE[..count].iter().for_each(|step| router.apply(*step).unwrap());
            router.restart();
            router.check();
            let is_any_running = [&router.old, &router.new].into_iter().flatten().any(|container| container.is_running);
            // Between the two settings, neither starts on boot: two daemons would be worse than none.
            assert_eq!(is_any_running, UPDATE[..count].last() != Some(&Step::UnbootOld), "{count}");
            // The next run of the script finds the old container and any remains of the new one, and starts over.
            if count < UPDATE.len() {
                BACK.iter().for_each(|step| router.go_back(*step));
                router.check();
                assert_eq!(router.old, Router::installed().old);
            }
        }
    }

    #[test]
    fn every_order_but_this_one_breaks_a_rule() {
        // The model is worth something only if it can fail: starting before stopping is two daemons.
        let mut router = Router::installed();
        for step in [Step::Prepare, Step::AddNew, Step::AwaitUnpacked, Step::StartNew] {
            router.apply(step).unwrap();
        }
        assert!(std::panic::catch_unwind(|| router.check()).is_err());
        // Without the preparation, the report of an earlier container counts for this one.
        let mut router = Router::installed();
        for step in [Step::AddNew, Step::AwaitUnpacked, Step::StopOld] {
            router.apply(step).unwrap();
        }
        assert!(std::panic::catch_unwind(move || router.apply(Step::StartNew)).is_err());
    }
}
