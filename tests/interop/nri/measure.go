package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/containerd/nri/pkg/api"
	"google.golang.org/protobuf/proto"
)

// Has an event happen to container-0 so many times, one after the other, and gives how many nanoseconds each took.
func (r *runtime) measure(method string, times int) ([]string, error) {
	pod := proto.Clone(r.pods[0]).(*api.PodSandbox)
	container := proto.Clone(r.containers[0]).(*api.Container)
	ctx := context.Background()
	lines := make([]string, 0, times)
	for range times {
		var err error
		began := time.Now()
		switch method {
		case "StartContainer":
			err = r.adaptation.StartContainer(ctx, &api.StartContainerRequest{Pod: pod, Container: container})
		case "PostStartContainer":
			err = r.adaptation.PostStartContainer(ctx, &api.PostStartContainerRequest{Pod: pod, Container: container})
		default:
			err = fmt.Errorf("%q is not measured", method)
		}
		took := time.Since(began)
		if err != nil {
			return nil, err
		}
		lines = append(lines, strconv.FormatInt(took.Nanoseconds(), 10))
	}
	return lines, nil
}
