package main

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"sync"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
)

// What a plugin does, whichever stub it is on.
type script struct {
	Name  string `json:"name"`
	Index string `json:"index"`
	// What it subscribes to; all by default.
	Events string `json:"events"`
	// The names of wishes: what it adjusts of a container that is created; what it changes of container-1 when
	// something happens to container-0; what it changes of container-1 when it is synchronized.
	Adjust       string `json:"adjust"`
	Update       string `json:"update"`
	UpdateAtSync string `json:"update_at_sync"`
	// With what it fails the creation of a container, and why it rejects one.
	Fail   string `json:"fail"`
	Reject string `json:"reject"`
}

// A plugin on NRI's own stub, which keeps what its handlers see.
type plugin struct {
	script script
	stub   stub.Stub
	lock   sync.Mutex
	seen   []string
}

func (r *runtime) startPlugin(script script) error {
	p := &plugin{script: script}
	r.plugins[script.Name] = p
	return r.register(p)
}

func (r *runtime) register(p *plugin) error {
	var err error
	// Stubs of old versions end the process when their connection closes, unless they are told what else to do.
	p.stub, err = stub.New(p, stub.WithPluginName(p.script.Name), stub.WithPluginIdx(p.script.Index),
		stub.WithSocketPath(r.socket), stub.WithOnClose(func() {}))
	if err != nil {
		return err
	}
	return p.stub.Start(context.Background())
}

// Stops the plugin and starts it again, on a new stub: one of Go's that is started again at once mostly loses its new
// connection, because it is told of the end of the old one too late.
func (r *runtime) restart(p *plugin) error {
	p.stub.Stop()
	return r.register(p)
}

// Is the plugin that a runtime has launched, until the runtime goes.
func serve() {
	p := &plugin{}
	var err error
	if p.stub, err = stub.New(p); err == nil {
		err = p.stub.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
}

func (p *plugin) see(format string, args ...any) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.seen = append(p.seen, fmt.Sprintf(format, args...))
}

func (p *plugin) takeSeen() []string {
	p.lock.Lock()
	defer p.lock.Unlock()
	taken := p.seen
	p.seen = nil
	return taken
}

// Asks for changes outside of any event: of container-0, which fails, and of container-1.
func (p *plugin) unsolicited(wish string) ([]string, error) {
	first, err := update(wish, "container-0")
	if err != nil {
		return nil, err
	}
	second, err := update(wish, "container-1")
	if err != nil {
		return nil, err
	}
	failed, err := p.stub.UpdateContainers([]*api.ContainerUpdate{first, second})
	if err != nil {
		return []string{"= error " + err.Error()}, nil
	}
	var lines []string
	for _, update := range failed {
		lines = append(lines, "failed "+shown(update))
	}
	return append(lines, "= ok"), nil
}

func (p *plugin) Configure(_ context.Context, config, runtime, version string) (api.EventMask, error) {
	p.see("Configure `%s` %s %s", config, runtime, version)
	// Only a plugin that was launched has one.
	if config != "" {
		if err := json.Unmarshal([]byte(config), &p.script); err != nil {
			return 0, err
		}
	}
	if p.script.Events == "" {
		return 0, nil
	}
	return api.ParseEventMask(p.script.Events)
}

func (p *plugin) Synchronize(_ context.Context, pods []*api.PodSandbox, containers []*api.Container) ([]*api.ContainerUpdate, error) {
	ids := fnv.New64a()
	for _, pod := range pods {
		ids.Write([]byte(pod.Id + "\n"))
	}
	for _, container := range containers {
		ids.Write([]byte(container.Id + "\n"))
	}
	p.see("Synchronize %d pods, %d containers, %x", len(pods), len(containers), ids.Sum64())
	return p.updates(p.script.UpdateAtSync)
}

func (p *plugin) updates(wish string) ([]*api.ContainerUpdate, error) {
	if wish == "" {
		return nil, nil
	}
	u, err := update(wish, "container-1")
	return []*api.ContainerUpdate{u}, err
}

func (p *plugin) ofPod(event string, pod *api.PodSandbox) error {
	p.see("%s %s", event, shown(pod))
	return nil
}

func (p *plugin) ofContainer(event string, pod *api.PodSandbox, container *api.Container) error {
	p.see("%s %s %s", event, shown(pod), shown(container))
	return nil
}

func (p *plugin) RunPodSandbox(_ context.Context, pod *api.PodSandbox) error {
	return p.ofPod("RunPodSandbox", pod)
}

func (p *plugin) StopPodSandbox(_ context.Context, pod *api.PodSandbox) error {
	return p.ofPod("StopPodSandbox", pod)
}

func (p *plugin) RemovePodSandbox(_ context.Context, pod *api.PodSandbox) error {
	return p.ofPod("RemovePodSandbox", pod)
}

func (p *plugin) CreateContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) (*api.ContainerAdjustment, []*api.ContainerUpdate, error) {
	_ = p.ofContainer("CreateContainer", pod, container)
	if p.script.Fail != "" {
		return nil, nil, fmt.Errorf("%s", p.script.Fail)
	}
	updates, err := p.updates(p.script.Update)
	if err != nil || p.script.Adjust == "" {
		return nil, updates, err
	}
	adjust, err := adjustment(p.script.Adjust)
	return adjust, updates, err
}

func (p *plugin) PostCreateContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.ofContainer("PostCreateContainer", pod, container)
}

func (p *plugin) StartContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.ofContainer("StartContainer", pod, container)
}

func (p *plugin) PostStartContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.ofContainer("PostStartContainer", pod, container)
}

func (p *plugin) UpdateContainer(_ context.Context, pod *api.PodSandbox, container *api.Container, resources *api.LinuxResources) ([]*api.ContainerUpdate, error) {
	p.see("UpdateContainer %s %s %s", shown(pod), shown(container), shown(resources))
	return p.updates(p.script.Update)
}

func (p *plugin) PostUpdateContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.ofContainer("PostUpdateContainer", pod, container)
}

func (p *plugin) StopContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) ([]*api.ContainerUpdate, error) {
	_ = p.ofContainer("StopContainer", pod, container)
	return p.updates(p.script.Update)
}

func (p *plugin) RemoveContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) error {
	return p.ofContainer("RemoveContainer", pod, container)
}
