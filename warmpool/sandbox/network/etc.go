package network

import (
	"bytes"
	"fmt"
	"strings"
)

// Etc is what environments have for a file of the machine's /etc: the resolver that
// they reach in resolv.conf, and in hosts the name of the machine.
func Etc(name string, machine []byte) []byte {
	var b bytes.Buffer
	switch name {
	case "resolv.conf":
		fmt.Fprintf(&b, "nameserver %s\n", router4)
		for line := range strings.Lines(string(machine)) {
			fields := strings.Fields(line)
			if len(fields) > 1 && (fields[0] == "search" || fields[0] == "domain" || fields[0] == "options") {
				b.WriteString(strings.Join(fields, " ") + "\n")
			}
		}
	case "hosts":
		b.Write(machine)
		fmt.Fprintf(&b, "\n%s %s\n", router4, HostName)
	default:
		b.Write(machine)
	}
	return b.Bytes()
}
