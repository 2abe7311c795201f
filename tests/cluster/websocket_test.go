package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/coder/websocket"

	"github.com/hearthfn/hearth/tests/harness"
)

// connection asks a node about a connection by @connections, or posts to it.
func connection(a *harness.API, method, id, message string) harness.Response {
	a.T.Helper()
	r := a.Request(method, "/prod/@connections/"+strings.ReplaceAll(id, "=", "%3D"), strings.NewReader(message))
	digest := sha256.Sum256([]byte(message))
	a.Check(v4.NewSigner().SignHTTP(context.Background(), a.Credentials, r, hex.EncodeToString(digest[:]), "execute-api", "us-east-1", time.Now()))
	return a.Do(r)
}

func TestAnyNodeReachesTheClientsOfTheOthers(t *testing.T) {
	harness.Parallel(t)
	c := newCluster(t, 2, "")
	holder, other := c.Nodes[0], c.Nodes[1]
	holder.Create("f", harness.NodeZip(t, "return { statusCode: 200, body: event.requestContext?.connectionId };"))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	connect := func() (socket *websocket.Conn, id string) {
		t.Helper()
		socket, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(holder.URL("/socket"), "http"), nil)
		holder.Check(err)
		t.Cleanup(func() { _ = socket.CloseNow() })
		holder.Check(socket.Write(ctx, websocket.MessageText, []byte(`{"action":"who"}`)))
		_, name, err := socket.Read(ctx)
		holder.Check(err)
		return socket, string(name)
	}
	client, id := connect()
	// The nodes hear of each other within a second.
	harness.Eventually(t, "the other node finds the socket", func() bool { return connection(other, "GET", id, "").Status == 200 })
	for n, node := range []*harness.API{holder, other} {
		connection(node, "POST", id, node.URL("")).Want(t, 200, "")
		if _, text, err := client.Read(ctx); err != nil || string(text) != node.URL("") {
			t.Errorf("node %d: the client got %q, %v", n, text, err)
		}
	}
	connection(other, "POST", "AAAAAAAAAAAAAAA=", "x").Want(t, 410, "Gone")
	connection(other, "POST", id[:8]+"AAAAAAA=", "x").Want(t, 410, "Gone") // its node does not have it

	// A node that dies takes its connections along: nothing is left of them anywhere.
	holder.Kill()
	if _, _, err := client.Read(ctx); err == nil {
		t.Error("the client of a node that was killed goes on")
	}
	harness.Eventually(t, "the connections of a dead node are gone", func() bool { return connection(other, "POST", id, "x").Status == http.StatusGone })
	holder.Start()
	connection(holder, "POST", id, "x").Want(t, 410, "Gone")
	client, id = connect()
	harness.Eventually(t, "the other node finds the new socket", func() bool { return connection(other, "GET", id, "").Status == 200 })
	connection(other, "DELETE", id, "").Want(t, 204, "")
	if _, _, err := client.Read(ctx); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("DELETE closes by %v", err)
	}
}
