// Kubernetes' API server, its controllers and an etcd in one program, for tests: `kubeapi etcd|apiserver|controllers FLAGS…`.
package main

import (
	"log"
	"net/url"
	"os"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func address(text string) []url.URL {
	parsed, err := url.Parse(text)
	if err != nil {
		log.Fatal(err)
	}
	return []url.URL{*parsed}
}

// keep runs an etcd with its data in a folder until it fails.
func keep(folder, clients, peers string) {
	config := embed.NewConfig()
	config.Dir = folder
	config.LogLevel = "error"
	config.ListenClientUrls, config.AdvertiseClientUrls = address(clients), address(clients)
	config.ListenPeerUrls, config.AdvertisePeerUrls = address(peers), address(peers)
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(<-server.Err())
}

func main() {
	if len(os.Args) < 2 {
		log.Fatal("etcd, apiserver or controllers")
	}
	part := os.Args[1]
	os.Args = append(os.Args[:1], os.Args[2:]...)
	switch part {
	case "etcd":
		keep(os.Args[1], os.Args[2], os.Args[3])
	case "apiserver":
		os.Exit(cli.Run(apiserver.NewAPIServerCommand()))
	case "controllers":
		os.Exit(cli.Run(controllers.NewControllerManagerCommand()))
	default:
		log.Fatalf("no part %q", part)
	}
}
