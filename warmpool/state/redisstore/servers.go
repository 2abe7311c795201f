package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Servers are all that belong to the Redis of a URL, HOST:PORT each: the hosts that it
// names, with Sentinels the master, its replicas and the other Sentinels, and with a
// Redis Cluster all of its nodes, with the ports by which these speak to each other. With
// an error they are those that are known all the same.
func Servers(ctx context.Context, url string) ([]string, error) {
	o, _, err := options(Config{URL: url, Timeout: 2 * time.Second})
	if err != nil {
		return nil, err
	}
	o.MaxRetries = -1
	all := o.Addrs[:len(o.Addrs):len(o.Addrs)]
	ask := nodesOfCluster
	switch {
	case o.MasterName != "":
		ask = knownToSentinel
	case !o.IsClusterMode:
		return all, nil
	}
	var errs []error
	for _, address := range o.Addrs { // who answers knows all
		found, err := ask(ctx, o, address)
		if err == nil {
			return append(all, found...), nil
		}
		errs = append(errs, err)
	}
	return all, fmt.Errorf("find the servers of redis: %w", errors.Join(errs...))
}

func knownToSentinel(ctx context.Context, o *redis.UniversalOptions, address string) ([]string, error) {
	client := redis.NewSentinelClient(&redis.Options{
		Addr: address, Username: o.SentinelUsername, Password: o.SentinelPassword, TLSConfig: o.TLSConfig,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, ContextTimeoutEnabled: true, MaxRetries: o.MaxRetries,
	})
	defer client.Close()
	master, err1 := client.GetMasterAddrByName(ctx, o.MasterName).Result()
	replicas, err2 := client.Replicas(ctx, o.MasterName).Result()
	others, err3 := client.Sentinels(ctx, o.MasterName).Result()
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	all := []string{net.JoinHostPort(master[0], master[1])}
	for _, s := range append(replicas, others...) {
		all = append(all, net.JoinHostPort(s["ip"], s["port"]))
	}
	return all, nil
}

func nodesOfCluster(ctx context.Context, o *redis.UniversalOptions, address string) ([]string, error) {
	client := redis.NewClient(&redis.Options{
		Addr: address, Username: o.Username, Password: o.Password, TLSConfig: o.TLSConfig,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, ContextTimeoutEnabled: true, MaxRetries: o.MaxRetries,
	})
	defer client.Close()
	text, err := client.ClusterNodes(ctx).Result()
	if err != nil {
		return nil, err
	}
	return parseNodes(text, address), nil
}

// parseNodes reads the answer to CLUSTER NODES of a node at an address: a line for each,
// with ID IP:PORT@BUSPORT[,HOSTNAME] FLAGS and more. A node that has met no other one
// does not know its own address.
func parseNodes(text, address string) (all []string) {
	asked, _, _ := net.SplitHostPort(address)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		at, _, _ := strings.Cut(fields[1], ",")
		at, bus, _ := strings.Cut(at, "@")
		colon := strings.LastIndexByte(at, ':')
		if colon < 0 {
			continue
		}
		ip := at[:colon] // of IPv6 without brackets
		if ip == "" {
			ip = asked
		}
		for _, port := range []string{at[colon+1:], bus} {
			if port != "" && port != "0" {
				all = append(all, net.JoinHostPort(ip, port))
			}
		}
	}
	return all
}
