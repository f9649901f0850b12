// A runtime for the tests of landfall-stub: NRI's own adaptation, driven by JSON lines on standard input, each answered
// by one line. It can also run a plugin on NRI's own stub, beside ours or in its place, and shows messages as JSON.
// What the lines are is told in tests/interop/README.md.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/containerd/nri/pkg/api"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// A line that was read.
type request struct {
	Do string `json:"do"`
	// A folder for sockets and plugins.
	Folder string `json:"folder"`
	// How many pods there are, and how many containers in all, and how many bytes each has at least.
	Pods, Containers, Bytes int
	// How often plugins must have been synchronized.
	Times int
	// What is called.
	Method string `json:"method"`
	// A message of ours, and what it is.
	Kind, Message string
	// The name of a wish.
	Wish string `json:"wish"`
	// A plugin on NRI's own stub.
	Plugin script `json:"plugin"`
}

// The line that answers it.
type answer struct {
	Lines []string `json:"lines"`
	Error string   `json:"error,omitempty"`
}

func main() {
	if os.Getenv(api.PluginSocketEnvVar) != "" {
		serve()
		return
	}
	if len(os.Args) > 4 {
		if err := serveLogger(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 64<<20)
	output := json.NewEncoder(os.Stdout)
	here := &runtime{plugins: map[string]*plugin{}}
	for input.Scan() {
		var asked request
		err := json.Unmarshal(input.Bytes(), &asked)
		var lines []string
		if err == nil {
			lines, err = here.do(&asked)
		}
		said := answer{Lines: lines}
		if err != nil {
			said.Error = err.Error()
		}
		if err := output.Encode(said); err != nil {
			os.Exit(1)
		}
	}
	here.stop()
}

// Does what a line asks for.
func (r *runtime) do(asked *request) ([]string, error) {
	switch asked.Do {
	case "start":
		return nil, r.start(asked)
	case "synchronized":
		return nil, r.synchronized(asked.Times)
	case "call":
		return r.call(asked.Method)
	case "measure":
		return r.measure(asked.Method, asked.Times)
	case "updates":
		return r.takeUpdates(), nil
	case "plugin":
		return nil, r.startPlugin(asked.Plugin)
	case "restart":
		return nil, r.restart(r.plugins[asked.Plugin.Name])
	case "seen":
		return r.plugins[asked.Plugin.Name].takeSeen(), nil
	case "unsolicited":
		return r.plugins[asked.Plugin.Name].unsolicited(asked.Wish)
	case "stop":
		r.stop()
		return nil, nil
	case "known":
		return known(), nil
	case "wish":
		return wished(asked.Kind, asked.Wish)
	case "shown":
		return shownBytes(asked.Kind, asked.Message)
	}
	return nil, fmt.Errorf("there is nothing called %q to do", asked.Do)
}

// What may be asked of this version of NRI.
func known() []string {
	var lines []string
	for name := range adjustments {
		lines = append(lines, "adjustment "+name)
	}
	for name := range updates {
		lines = append(lines, "update "+name)
	}
	for name := range callsLater {
		lines = append(lines, "method "+name)
	}
	if isValidating {
		lines = append(lines, "method ValidateContainerAdjustment")
	}
	return lines
}

// What Go's own builders make of a wish.
func wished(kind, name string) ([]string, error) {
	var message proto.Message
	var err error
	if kind == "ContainerAdjustment" {
		message, err = adjustment(name)
	} else {
		message, err = update(name, "container-1")
	}
	if err != nil {
		return nil, err
	}
	return []string{shown(message)}, nil
}

// A message of ours, in the form in which Go's own are shown.
func shownBytes(kind, text string) ([]string, error) {
	empty := map[string]proto.Message{
		"Container":           &api.Container{},
		"ContainerAdjustment": &api.ContainerAdjustment{},
		"ContainerUpdate":     &api.ContainerUpdate{},
		"LinuxResources":      &api.LinuxResources{},
		"PodSandbox":          &api.PodSandbox{},
	}
	message, ok := empty[kind]
	if !ok {
		return nil, fmt.Errorf("there is no message %q", kind)
	}
	bytes, err := hex.DecodeString(text)
	if err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(bytes, message); err != nil {
		return nil, err
	}
	if unknown := message.ProtoReflect().GetUnknown(); len(unknown) != 0 {
		return nil, fmt.Errorf("%s has unknown fields: %x", kind, unknown)
	}
	return []string{shown(message)}, nil
}

// A message as JSON on one line. The library adds blanks at random.
func shown(message proto.Message) string {
	text, err := protojson.Marshal(message)
	if err != nil {
		return err.Error()
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return err.Error()
	}
	return compact.String()
}
