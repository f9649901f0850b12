//go:build !nri08

package main

import (
	"context"
	"fmt"

	"github.com/containerd/nri/pkg/api"
	"google.golang.org/protobuf/proto"
)

const isValidating = true

func init() {
	ctx := context.Background()
	callsLater["UpdatePodSandbox"] = func(r *runtime, pod *api.PodSandbox, resources *api.LinuxResources) (proto.Message, error) {
		return r.adaptation.UpdatePodSandbox(ctx, &api.UpdatePodSandboxRequest{Pod: pod, LinuxResources: resources})
	}
	callsLater["PostUpdatePodSandbox"] = func(r *runtime, pod *api.PodSandbox, _ *api.LinuxResources) (proto.Message, error) {
		return nil, r.adaptation.PostUpdatePodSandbox(ctx, &api.PostUpdatePodSandboxRequest{Pod: pod})
	}
}

func (p *plugin) UpdatePodSandbox(_ context.Context, pod *api.PodSandbox, overhead, resources *api.LinuxResources) error {
	p.see("UpdatePodSandbox %s %s %s", shown(pod), shown(overhead), shown(resources))
	return nil
}

func (p *plugin) PostUpdatePodSandbox(_ context.Context, pod *api.PodSandbox) error {
	return p.ofPod("PostUpdatePodSandbox", pod)
}

func (p *plugin) ValidateContainerAdjustment(_ context.Context, request *api.ValidateContainerAdjustmentRequest) error {
	p.see("ValidateContainerAdjustment %s %s", shown(request.Container), shown(request.Adjust))
	if p.script.Reject != "" {
		return fmt.Errorf("%s", p.script.Reject)
	}
	return nil
}
