package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/containerd/nri/pkg/api"
	"github.com/containerd/nri/pkg/stub"
)

// A plugin on NRI's own stub in a process of its own, for `cargo xtask bench stub`. It writes a line of each event to
// nowhere, says `registered` each time that it is, and registers anew for each line that it reads.
type logger struct {
	events string
}

// Runs it: its name, its index, the socket and its events.
func serveLogger(words []string) error {
	l := &logger{events: words[3]}
	input := bufio.NewScanner(os.Stdin)
	for {
		s, err := stub.New(l, stub.WithPluginName(words[0]), stub.WithPluginIdx(words[1]),
			stub.WithSocketPath(words[2]), stub.WithOnClose(func() {}))
		if err != nil {
			return err
		}
		if err := s.Start(context.Background()); err != nil {
			return err
		}
		fmt.Println("registered")
		if !input.Scan() {
			s.Stop()
			return input.Err()
		}
		s.Stop()
	}
}

func (l *logger) Configure(_ context.Context, _, _, _ string) (api.EventMask, error) {
	return api.ParseEventMask(l.events)
}

func (l *logger) Synchronize(_ context.Context, pods []*api.PodSandbox, containers []*api.Container) ([]*api.ContainerUpdate, error) {
	fmt.Fprintf(io.Discard, "Synchronize %d %d\n", len(pods), len(containers))
	return nil, nil
}

func (l *logger) log(event string, pod *api.PodSandbox, container *api.Container) error {
	_, err := fmt.Fprintf(io.Discard, "%s %s %s\n", event, pod.Id, container.Id)
	return err
}

func (l *logger) StartContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) error {
	return l.log("StartContainer", pod, container)
}

func (l *logger) PostStartContainer(_ context.Context, pod *api.PodSandbox, container *api.Container) error {
	return l.log("PostStartContainer", pod, container)
}
