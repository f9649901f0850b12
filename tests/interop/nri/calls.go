package main

import (
	"context"
	"fmt"

	"github.com/containerd/nri/pkg/api"
	"google.golang.org/protobuf/proto"
)

// The calls of pods that there are since v0.10.
var callsLater = map[string]func(*runtime, *api.PodSandbox, *api.LinuxResources) (proto.Message, error){}

// Has something happen to pod-0 or container-0, and shows what plugins answered.
func (r *runtime) call(method string) ([]string, error) {
	r.domain.Lock()
	defer r.domain.Unlock()
	ctx := context.Background()
	// The adaptation writes what plugins want into the request: each gets one of its own.
	pod := proto.Clone(r.pods[0]).(*api.PodSandbox)
	container := proto.Clone(r.containers[0]).(*api.Container)
	resources := &api.LinuxResources{Cpu: &api.LinuxCPU{Quota: api.Int64(int64(7))}}
	var reply proto.Message
	var err error
	switch method {
	case "RunPodSandbox":
		err = r.adaptation.RunPodSandbox(ctx, &api.RunPodSandboxRequest{Pod: pod})
	case "StopPodSandbox":
		err = r.adaptation.StopPodSandbox(ctx, &api.StopPodSandboxRequest{Pod: pod})
	case "RemovePodSandbox":
		err = r.adaptation.RemovePodSandbox(ctx, &api.RemovePodSandboxRequest{Pod: pod})
	case "CreateContainer":
		reply, err = r.adaptation.CreateContainer(ctx, &api.CreateContainerRequest{Pod: pod, Container: container})
	case "PostCreateContainer":
		err = r.adaptation.PostCreateContainer(ctx, &api.PostCreateContainerRequest{Pod: pod, Container: container})
	case "StartContainer":
		err = r.adaptation.StartContainer(ctx, &api.StartContainerRequest{Pod: pod, Container: container})
	case "PostStartContainer":
		err = r.adaptation.PostStartContainer(ctx, &api.PostStartContainerRequest{Pod: pod, Container: container})
	case "UpdateContainer":
		request := &api.UpdateContainerRequest{Pod: pod, Container: container, LinuxResources: resources}
		reply, err = r.adaptation.UpdateContainer(ctx, request)
	case "PostUpdateContainer":
		err = r.adaptation.PostUpdateContainer(ctx, &api.PostUpdateContainerRequest{Pod: pod, Container: container})
	case "StopContainer":
		reply, err = r.adaptation.StopContainer(ctx, &api.StopContainerRequest{Pod: pod, Container: container})
	case "RemoveContainer":
		err = r.adaptation.RemoveContainer(ctx, &api.RemoveContainerRequest{Pod: pod, Container: container})
	default:
		call, ok := callsLater[method]
		if !ok {
			return nil, fmt.Errorf("there is no method %q", method)
		}
		reply, err = call(r, pod, resources)
	}
	switch {
	case err != nil:
		return []string{"= error " + err.Error()}, nil
	case reply == nil:
		return []string{"= ok"}, nil
	default:
		return []string{"= " + shown(reply)}, nil
	}
}
