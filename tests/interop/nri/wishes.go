package main

import (
	"fmt"
	"os"

	"github.com/containerd/nri/pkg/api"
)

// What a wish becomes in the hands of Go's own builders. crates/stub's builders are held to this.
func adjustment(name string) (*api.ContainerAdjustment, error) {
	a := &api.ContainerAdjustment{}
	set, ok := adjustments[name]
	if !ok {
		return nil, fmt.Errorf("there is no adjustment %q", name)
	}
	set(a)
	return a, nil
}

func update(name, container string) (*api.ContainerUpdate, error) {
	u := &api.ContainerUpdate{}
	set, ok := updates[name]
	if !ok {
		return nil, fmt.Errorf("there is no update %q", name)
	}
	u.SetContainerId(container)
	set(u)
	return u, nil
}

var adjustments = map[string]func(*api.ContainerAdjustment){
	"annotation":          func(a *api.ContainerAdjustment) { a.AddAnnotation("key", "value") },
	"annotation-removed":  func(a *api.ContainerAdjustment) { a.RemoveAnnotation("theirs") },
	"annotation-replaced": func(a *api.ContainerAdjustment) { a.RemoveAnnotation("theirs"); a.AddAnnotation("theirs", "2") },
	"mount":               func(a *api.ContainerAdjustment) { a.AddMount(mount("/ours")) },
	"mount-removed":       func(a *api.ContainerAdjustment) { a.RemoveMount("/theirs") },
	"mount-replaced":      func(a *api.ContainerAdjustment) { a.RemoveMount("/theirs"); a.AddMount(mount("/theirs")) },
	"env":                 func(a *api.ContainerAdjustment) { a.AddEnv("NAME", "value"); a.AddEnv("EMPTY", "") },
	"env-removed":         func(a *api.ContainerAdjustment) { a.RemoveEnv("THEIRS") },
	"env-replaced":        func(a *api.ContainerAdjustment) { a.RemoveEnv("THEIRS"); a.AddEnv("THEIRS", "2") },
	"hooks":               func(a *api.ContainerAdjustment) { a.AddHooks(hooks("/first")); a.AddHooks(hooks("/second")) },
	"rlimit":              func(a *api.ContainerAdjustment) { a.AddRlimit("RLIMIT_NOFILE", 2048, 1024) },
	"cdi-device":          func(a *api.ContainerAdjustment) { a.AddCDIDevice(&api.CDIDevice{Name: "vendor.com/class=name"}) },
	"device":              func(a *api.ContainerAdjustment) { a.AddDevice(device("/dev/ours")) },
	"device-removed":      func(a *api.ContainerAdjustment) { a.RemoveDevice("/dev/theirs") },
	"memory": func(a *api.ContainerAdjustment) {
		a.SetLinuxMemoryLimit(1 << 30)
		a.SetLinuxMemoryReservation(1 << 29)
		a.SetLinuxMemorySwap(-1)
		a.SetLinuxMemoryKernel(1 << 28)
		a.SetLinuxMemoryKernelTCP(0)
		a.SetLinuxMemorySwappiness(60)
		a.SetLinuxMemoryDisableOomKiller()
		a.SetLinuxMemoryUseHierarchy()
	},
	"cpu": func(a *api.ContainerAdjustment) {
		a.SetLinuxCPUShares(512)
		a.SetLinuxCPUQuota(-1)
		a.SetLinuxCPUPeriod(100000)
		a.SetLinuxCPURealtimeRuntime(0)
		a.SetLinuxCPURealtimePeriod(5000)
		a.SetLinuxCPUSetCPUs("0-3,7")
		a.SetLinuxCPUSetMems("0")
	},
	"pids": func(a *api.ContainerAdjustment) { a.SetLinuxPidLimits(100) },
	"hugepages": func(a *api.ContainerAdjustment) {
		a.AddLinuxHugepageLimit("2MB", 4096)
		a.AddLinuxHugepageLimit("1GB", 0)
	},
	"blockio-class": func(a *api.ContainerAdjustment) { a.SetLinuxBlockIOClass("slow") },
	"rdt-class":     func(a *api.ContainerAdjustment) { a.SetLinuxRDTClass("") },
	"unified": func(a *api.ContainerAdjustment) {
		a.AddLinuxUnified("memory.high", "1G")
		a.AddLinuxUnified("cpu.idle", "")
	},
	"device-rule": func(a *api.ContainerAdjustment) {
		a.Linux = &api.LinuxContainerAdjustment{Resources: &api.LinuxResources{Devices: []*api.LinuxDeviceCgroup{
			{Allow: true, Type: "c", Major: api.Int64(int64(1)), Access: "rw"},
		}}}
	},
	"cgroups-path": func(a *api.ContainerAdjustment) { a.SetLinuxCgroupsPath("/ours") },
	"oom-score":    func(a *api.ContainerAdjustment) { score := -7; a.SetLinuxOomScoreAdj(&score) },
}

var updates = map[string]func(*api.ContainerUpdate){
	"memory": func(u *api.ContainerUpdate) {
		u.SetLinuxMemoryLimit(1 << 30)
		u.SetLinuxMemoryReservation(1 << 29)
		u.SetLinuxMemorySwap(-1)
		u.SetLinuxMemoryKernel(1 << 28)
		u.SetLinuxMemoryKernelTCP(0)
		u.SetLinuxMemorySwappiness(60)
		u.SetLinuxMemoryDisableOomKiller()
		u.SetLinuxMemoryUseHierarchy()
	},
	"cpu": func(u *api.ContainerUpdate) {
		u.SetLinuxCPUShares(512)
		u.SetLinuxCPUQuota(-1)
		u.SetLinuxCPUPeriod(100000)
		u.SetLinuxCPURealtimeRuntime(0)
		u.SetLinuxCPURealtimePeriod(5000)
		u.SetLinuxCPUSetCPUs("0-3,7")
		u.SetLinuxCPUSetMems("0")
	},
	"pids":           func(u *api.ContainerUpdate) { u.SetLinuxPidLimits(100) },
	"hugepages":      func(u *api.ContainerUpdate) { u.AddLinuxHugepageLimit("2MB", 4096) },
	"blockio-class":  func(u *api.ContainerUpdate) { u.SetLinuxBlockIOClass("slow") },
	"rdt-class":      func(u *api.ContainerUpdate) { u.SetLinuxRDTClass("fast") },
	"unified":        func(u *api.ContainerUpdate) { u.AddLinuxUnified("memory.high", "1G") },
	"ignore-failure": func(u *api.ContainerUpdate) { u.SetLinuxCPUShares(3); u.SetIgnoreFailure() },
}

func mount(destination string) *api.Mount {
	return &api.Mount{Destination: destination, Type: "bind", Source: "/srv", Options: []string{"rbind", "ro"}}
}

func device(path string) *api.LinuxDevice {
	return &api.LinuxDevice{
		Path: path, Type: "c", Major: 10, Minor: 200,
		FileMode: api.FileMode(os.FileMode(0o640)), Uid: api.UInt32(uint32(0)), Gid: api.UInt32(uint32(7)),
	}
}

func hooks(path string) *api.Hooks {
	hook := []*api.Hook{{Path: path, Args: []string{path, "now"}, Env: []string{"A=1"}, Timeout: &api.OptionalInt{Value: 3}}}
	return &api.Hooks{
		Prestart: hook, CreateRuntime: hook, CreateContainer: hook, StartContainer: hook, Poststart: hook, Poststop: hook,
	}
}
