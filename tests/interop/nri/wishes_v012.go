//go:build !nri08 && !nri010

package main

import "github.com/containerd/nri/pkg/api"

// What can be asked for since v0.11 and v0.12.
func init() {
	adjustments["sysctl"] = func(a *api.ContainerAdjustment) { a.SetLinuxSysctl("net.ipv4.ip_forward", "1") }
	adjustments["sysctl-removed"] = func(a *api.ContainerAdjustment) { a.SetLinuxSysctl(api.MarkForRemoval("net.core.somaxconn"), "") }
	adjustments["net-device"] = func(a *api.ContainerAdjustment) { a.AddLinuxNetDevice("eth7", &api.LinuxNetDevice{Name: "net0"}) }
	adjustments["net-device-removed"] = func(a *api.ContainerAdjustment) { a.RemoveLinuxNetDevice("eth8") }
	adjustments["scheduler"] = func(a *api.ContainerAdjustment) {
		a.SetLinuxScheduler(&api.LinuxScheduler{
			Policy: api.LinuxSchedulerPolicy_SCHED_DEADLINE, Nice: -5, Priority: 3, Runtime: 1, Deadline: 2, Period: 1 << 40,
			Flags: []api.LinuxSchedulerFlag{
				api.LinuxSchedulerFlag_SCHED_FLAG_RESET_ON_FORK, api.LinuxSchedulerFlag_SCHED_FLAG_UTIL_CLAMP_MAX,
			},
		})
	}
	adjustments["rdt"] = func(a *api.ContainerAdjustment) {
		a.SetLinuxRDTClosID("ours")
		a.SetLinuxRDTSchemata([]string{"L3:0=f", "MB:0=50"})
		a.SetLinuxRDTEnableMonitoring(false)
	}
	adjustments["rdt-removed"] = func(a *api.ContainerAdjustment) { a.RemoveLinuxRDT() }
	adjustments["memory-policy"] = func(a *api.ContainerAdjustment) {
		a.SetLinuxMemoryPolicy(api.MpolMode_MPOL_INTERLEAVE, "0-1", api.MpolFlag_MPOL_F_STATIC_NODES)
	}
}
