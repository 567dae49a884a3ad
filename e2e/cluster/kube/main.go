// Package main is every part of a Kubernetes control plane and node in one program, so that their
// common code is built and linked once.
//
// The part is chosen by the name that the program is called by (a link named kube-apiserver, kubelet, ...)
// or, failing that, by its first argument.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	_ "time/tzdata" // time zones of CronJob

	"go.etcd.io/etcd/server/v3/etcdmain"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

type part struct {
	name string
	run  func()
}

var parts = []part{
	{"etcd", func() { etcdmain.Main(os.Args) }},
	{"kube-apiserver", func() { os.Exit(cli.Run(apiserver.NewAPIServerCommand())) }},
	{"kube-controller-manager", func() { os.Exit(cli.Run(controllers.NewControllerManagerCommand())) }},
	{"kube-scheduler", func() { os.Exit(cli.Run(scheduler.NewSchedulerCommand())) }},
	{"kube-proxy", func() { os.Exit(cli.Run(proxy.NewProxyCommand())) }},
	{"kubelet", func() { os.Exit(cli.Run(kubelet.NewKubeletCommand(context.Background()))) }},
	{"kubectl", func() {
		if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
			kubectlutil.CheckErr(err)
		}
	}},
}

func find(name string) (part, bool) {
	at := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
	if at < 0 {
		return part{}, false
	}
	return parts[at], true
}

func main() {
	if p, ok := find(filepath.Base(os.Args[0])); ok {
		p.run()
		return
	}
	if len(os.Args) > 1 {
		if p, ok := find(os.Args[1]); ok {
			os.Args = os.Args[1:]
			p.run()
			return
		}
	}
	names := make([]string, 0, len(parts))
	for _, p := range parts {
		names = append(names, p.name)
	}
	fmt.Fprintf(os.Stderr, "usage: %s {%s} [flags]\n", os.Args[0], strings.Join(names, "|"))
	os.Exit(2)
}
