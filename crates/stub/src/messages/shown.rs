//! How messages with environments are shown: the names of the variables, not their values, which may be secrets.

use std::fmt;

use super::{Container, Hook, KeyValue};

/// Variables as `NAME=value`, of which the name is shown.
struct Names<'a>(&'a [String]);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |variable: &'_ String| variable.split('=').next().unwrap_or_default().to_owned() + "=..";
        f.debug_list().entries(self.0.iter().map(name)).finish()
    }
}

impl fmt::Debug for KeyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyValue").field("key", &self.key).finish_non_exhaustive()
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, args, env, timeout } = self;
        let mut shown = f.debug_struct("Hook");
        shown.field("path", path).field("args", args).field("env", &Names(env)).field("timeout", timeout).finish()
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Taken apart, so that a field that a later version adds is not forgotten.
        let Self {
            id,
            pod_sandbox_id,
            name,
            state: _,
            labels,
            annotations,
            args,
            env,
            mounts,
            hooks,
            linux,
            pid,
            rlimits,
            created_at,
            started_at,
            finished_at,
            exit_code,
            status_reason,
            status_message,
            cdi_devices,
            user,
            image,
        } = self;
        f.debug_struct("Container")
            .field("id", id)
            .field("pod_sandbox_id", pod_sandbox_id)
            .field("name", name)
            .field("state", &self.state())
            .field("labels", labels)
            .field("annotations", annotations)
            .field("args", args)
            .field("env", &Names(env))
            .field("mounts", mounts)
            .field("hooks", hooks)
            .field("linux", linux)
            .field("pid", pid)
            .field("rlimits", rlimits)
            .field("created_at", created_at)
            .field("started_at", started_at)
            .field("finished_at", finished_at)
            .field("exit_code", exit_code)
            .field("status_reason", status_reason)
            .field("status_message", status_message)
            .field("cdi_devices", cdi_devices)
            .field("user", user)
            .field("image", image)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{CreateContainerRequest, Hooks};
    use crate::adjust::Adjustment;

    use super::*;

    #[test]
    fn values_of_environments_are_shown_nowhere() {
        let env = vec!["TOKEN=hush".to_owned(), "A=b=hush".to_owned()];
        let hook = Hook { env: env.clone(), ..Hook::new("/bin/true") };
        let hooks = Hooks { prestart: vec![hook], ..Hooks::default() };
        let adjustment = Adjustment::new().env("TOKEN", "hush").hooks(hooks.clone());
        let container = Container { env, hooks: Some(hooks), id: "c1".to_owned(), ..Container::default() };
        let request = CreateContainerRequest { pod: None, container: Some(container) };
        for shown in
            [format!("{request:?}"), format!("{adjustment:#?}"), format!("{:?}", adjustment.clone().into_message())]
        {
            assert!(shown.contains("TOKEN") && !shown.contains("hush"), "{shown}");
        }
        assert!(format!("{request:?}").contains(r#"id: "c1""#));
    }
}
