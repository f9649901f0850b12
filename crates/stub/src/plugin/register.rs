//! How the methods of a plugin become handlers.

use std::sync::Arc;

use super::Plugin;
use crate::builder::StubBuilder;
use crate::handler_cx::HandlerCx;
use crate::messages::Event;

impl StubBuilder {
    /// Registers the methods of a type as handlers: those of its [`events`](Plugin::events), its configuration and its
    /// synchronization.
    ///
    /// They are registered as closures are, so a handler that is registered after that takes the place of the method.
    pub fn plugin<P: Plugin>(self, plugin: &Arc<P>) -> Self {
        let builder = self
            .on_configure(of(plugin, async |plugin: Arc<P>, cx, configuration| {
                plugin.configure(cx, configuration).await
            }))
            .on_synchronize(of_both(plugin, async |plugin: Arc<P>, cx, pods, containers| {
                plugin.synchronize(cx, pods, containers).await
            }));
        plugin.events().iter().fold(builder, |builder, event| builder.event_of(event, plugin))
    }

    fn event_of<P: Plugin>(self, event: Event, plugin: &Arc<P>) -> Self {
        match event {
            Event::RunPodSandbox => self
                .on_run_pod_sandbox(of(plugin, async |plugin: Arc<P>, cx, pod| plugin.run_pod_sandbox(cx, pod).await)),
            Event::UpdatePodSandbox => self.on_update_pod_sandbox(of(plugin, async |plugin: Arc<P>, cx, request| {
                plugin.update_pod_sandbox(cx, request).await
            })),
            Event::PostUpdatePodSandbox => self
                .on_post_update_pod_sandbox(of(plugin, async |plugin: Arc<P>, cx, pod| {
                    plugin.post_update_pod_sandbox(cx, pod).await
                })),
            Event::StopPodSandbox => self.on_stop_pod_sandbox(of(plugin, async |plugin: Arc<P>, cx, pod| {
                plugin.stop_pod_sandbox(cx, pod).await
            })),
            Event::RemovePodSandbox => self.on_remove_pod_sandbox(of(plugin, async |plugin: Arc<P>, cx, pod| {
                plugin.remove_pod_sandbox(cx, pod).await
            })),
            Event::ValidateContainerAdjustment => self
                .on_validate_container_adjustment(of(plugin, async |plugin: Arc<P>, cx, request| {
                    plugin.validate_container_adjustment(cx, request).await
                })),
            event => self.container_event_of(event, plugin),
        }
    }

    fn container_event_of<P: Plugin>(self, event: Event, plugin: &Arc<P>) -> Self {
        match event {
            Event::CreateContainer => self.on_create_container(of_both(plugin, async |plugin: Arc<P>, cx, pod, it| {
                plugin.create_container(cx, pod, it).await
            })),
            Event::PostCreateContainer => self
                .on_post_create_container(of_both(plugin, async |plugin: Arc<P>, cx, pod, it| {
                    plugin.post_create_container(cx, pod, it).await
                })),
            Event::StartContainer => self.on_start_container(of_both(plugin, async |plugin: Arc<P>, cx, pod, it| {
                plugin.start_container(cx, pod, it).await
            })),
            Event::PostStartContainer => self
                .on_post_start_container(of_both(plugin, async |plugin: Arc<P>, cx, pod, it| {
                    plugin.post_start_container(cx, pod, it).await
                })),
            Event::UpdateContainer => {
                let plugin = Arc::clone(plugin);
                self.on_update_container(move |cx, pod, it, resources| {
                    let plugin = Arc::clone(&plugin);
                    async move { plugin.update_container(cx, pod, it, resources).await }
                })
            }
            Event::PostUpdateContainer => self
                .on_post_update_container(of_both(plugin, async |plugin: Arc<P>, cx, pod, it| {
                    plugin.post_update_container(cx, pod, it).await
                })),
            Event::StopContainer => self.on_stop_container(of_both(plugin, async |plugin: Arc<P>, cx, pod, it| {
                plugin.stop_container(cx, pod, it).await
            })),
            Event::RemoveContainer => self.on_remove_container(of_both(plugin, async |plugin: Arc<P>, cx, pod, it| {
                plugin.remove_container(cx, pod, it).await
            })),
            // Those of pods are above, and the others are no events.
            _ => self,
        }
    }
}

/// A method with its plugin.
fn of<P, A, Fut, M>(plugin: &Arc<P>, method: M) -> impl Fn(HandlerCx, A) -> Fut + use<P, A, Fut, M>
where
    M: Fn(Arc<P>, HandlerCx, A) -> Fut,
{
    let plugin = Arc::clone(plugin);
    move |cx, argument| method(Arc::clone(&plugin), cx, argument)
}

/// A method of two arguments with its plugin.
fn of_both<P, A, B, Fut, M>(plugin: &Arc<P>, method: M) -> impl Fn(HandlerCx, A, B) -> Fut + use<P, A, B, Fut, M>
where
    M: Fn(Arc<P>, HandlerCx, A, B) -> Fut,
{
    let plugin = Arc::clone(plugin);
    move |cx, first, second| method(Arc::clone(&plugin), cx, first, second)
}
