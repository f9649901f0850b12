package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"github.com/containerd/nri/pkg/adaptation"
	"github.com/containerd/nri/pkg/api"
)

// NRI's adaptation with what a container runtime adds to it.
type runtime struct {
	adaptation *adaptation.Adaptation
	socket     string
	pods       []*api.PodSandbox
	containers []*api.Container
	plugins    map[string]*plugin

	// Held around requests and around updates, as container runtimes have it.
	domain sync.Mutex

	lock    sync.Mutex
	changed *sync.Cond
	syncs   int
	updates []string
}

func (r *runtime) start(asked *request) error {
	r.stop()
	r.changed = sync.NewCond(&r.lock)
	r.pods, r.containers = objects(asked.Pods, asked.Containers, asked.Bytes)
	r.socket = filepath.Join(asked.Folder, "nri.sock")
	var err error
	r.adaptation, err = adaptation.New(runtimeName, runtimeVersion, r.synchronize, r.update,
		adaptation.WithSocketPath(r.socket),
		adaptation.WithPluginPath(filepath.Join(asked.Folder, "plugins")),
		adaptation.WithPluginConfigPath(filepath.Join(asked.Folder, "conf.d")))
	if err != nil {
		return err
	}
	if err := r.adaptation.Start(); err != nil {
		return err
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	// It synchronizes the plugins that it has launched, be there any or none, before it is started.
	r.syncs = 0
	return nil
}

func (r *runtime) stop() {
	for name, plugin := range r.plugins {
		plugin.stub.Stop()
		delete(r.plugins, name)
	}
	if r.adaptation != nil {
		r.adaptation.Stop()
		r.adaptation = nil
	}
}

func objects(pods, containers, bytes int) ([]*api.PodSandbox, []*api.Container) {
	padding := strings.Repeat("x", bytes)
	var p []*api.PodSandbox
	for at := range pods {
		p = append(p, &api.PodSandbox{
			Id:          fmt.Sprintf("pod-%d", at),
			Name:        fmt.Sprintf("name-%d", at),
			Namespace:   "interop",
			Labels:      map[string]string{"app": "interop", "empty": ""},
			Annotations: map[string]string{"padding": padding},
			Linux:       &api.LinuxPodSandbox{CgroupParent: "/interop"},
		})
	}
	var c []*api.Container
	for at := range containers {
		c = append(c, &api.Container{
			Id:           fmt.Sprintf("container-%d", at),
			PodSandboxId: fmt.Sprintf("pod-%d", at%max(pods, 1)),
			Name:         fmt.Sprintf("name-%d", at),
			State:        api.ContainerState_CONTAINER_RUNNING,
			Annotations:  map[string]string{"padding": padding, "theirs": "1"},
			Args:         []string{"sleep", "1"},
			Env:          []string{"PATH=/bin", "THEIRS=1"},
			Mounts:       []*api.Mount{{Destination: "/theirs", Source: "/srv", Type: "bind", Options: []string{"ro"}}},
			Linux: &api.LinuxContainer{
				OomScoreAdj: &api.OptionalInt{Value: 0},
				Resources:   &api.LinuxResources{Cpu: &api.LinuxCPU{Shares: api.UInt64(uint64(2))}},
			},
		})
	}
	return p, c
}

func (r *runtime) synchronize(ctx context.Context, tell adaptation.SyncCB) error {
	updates, err := tell(ctx, r.pods, r.containers)
	r.lock.Lock()
	defer r.lock.Unlock()
	for _, update := range updates {
		r.updates = append(r.updates, "update "+shown(update))
	}
	r.syncs++
	r.changed.Broadcast()
	return err
}

// Waits until plugins were synchronized so often, and until they get what happens next.
func (r *runtime) synchronized(times int) error {
	r.lock.Lock()
	for r.syncs < times {
		r.changed.Wait()
	}
	r.lock.Unlock()
	// It is had once the synchronization that is under way has ended, and the plugin is in its list.
	r.adaptation.BlockPluginSync().Unblock()
	return nil
}

// Takes the changes that plugins ask for outside of any event; those of container-0 fail.
func (r *runtime) update(_ context.Context, updates []*api.ContainerUpdate) ([]*api.ContainerUpdate, error) {
	r.domain.Lock()
	defer r.domain.Unlock()
	r.lock.Lock()
	defer r.lock.Unlock()
	var failed []*api.ContainerUpdate
	for _, update := range updates {
		r.updates = append(r.updates, "update "+shown(update))
		if update.ContainerId == "container-0" {
			failed = append(failed, update)
		}
	}
	return failed, nil
}

func (r *runtime) takeUpdates() []string {
	r.lock.Lock()
	defer r.lock.Unlock()
	taken := r.updates
	r.updates = nil
	return taken
}
