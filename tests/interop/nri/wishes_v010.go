//go:build !nri08

package main

import "github.com/containerd/nri/pkg/api"

// What can be asked for since v0.10.
func init() {
	adjustments["args"] = func(a *api.ContainerAdjustment) { a.SetArgs([]string{"echo", "", "1"}) }
	adjustments["args-replaced"] = func(a *api.ContainerAdjustment) { a.UpdateArgs([]string{"echo", "2"}) }
	adjustments["io-priority"] = func(a *api.ContainerAdjustment) {
		a.SetLinuxIOPriority(&api.LinuxIOPriority{Class: api.IOPrioClass_IOPRIO_CLASS_BE, Priority: 6})
	}
	adjustments["seccomp"] = func(a *api.ContainerAdjustment) {
		a.SetLinuxSeccompPolicy(&api.LinuxSeccomp{
			DefaultAction: "SCMP_ACT_ERRNO",
			DefaultErrno:  api.UInt32(uint32(1)),
			Architectures: []string{"SCMP_ARCH_X86_64"},
			Flags:         []string{"SECCOMP_FILTER_FLAG_LOG"},
			ListenerPath:  "/run/listener", ListenerMetadata: "ours",
			Syscalls: []*api.LinuxSyscall{{
				Names: []string{"read", "write"}, Action: "SCMP_ACT_ALLOW", ErrnoRet: api.UInt32(uint32(0)),
				Args: []*api.LinuxSeccompArg{{Index: 1, Value: 1 << 40, ValueTwo: 2, Op: "SCMP_CMP_MASKED_EQ"}},
			}},
		})
	}
	adjustments["namespace"] = func(a *api.ContainerAdjustment) {
		a.AddOrReplaceNamespace(&api.LinuxNamespace{Type: "network", Path: "/run/netns/a"})
	}
	adjustments["namespace-removed"] = func(a *api.ContainerAdjustment) { a.RemoveNamespace(&api.LinuxNamespace{Type: "ipc"}) }
}
