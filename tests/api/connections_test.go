package api

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/hearthfn/hearth/tests/harness"
)

// connectionsScript posts to a client, asks about it and closes it, as functions do with what
// their events say.
const connectionsScript = `
import datetime
import os
import sys
import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

domain, stage, id = sys.argv[1:]
once = Config(retries={"max_attempts": 0})
url = "http://%s/%s" % (domain, stage)
api = boto3.client("apigatewaymanagementapi", endpoint_url=url, config=once)

def refused(code, status, call, **args):
    try:
        answer = call(**args)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, (code, str(error))
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
    else:
        raise AssertionError((code, answer))

api.post_to_connection(ConnectionId=id, Data="hällo")
api.post_to_connection(ConnectionId=id, Data=b"\xff\x00")
api.post_to_connection(ConnectionId=id, Data=b"x" * (128 << 10))
about = api.get_connection(ConnectionId=id)
now = datetime.datetime.now(datetime.timezone.utc)
assert about["ConnectedAt"] <= about["LastActiveAt"] <= now, about
assert now - about["ConnectedAt"] < datetime.timedelta(minutes=10), about
assert about["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "test"}, about

refused("PayloadTooLargeException", 413, api.post_to_connection, ConnectionId=id, Data=b"x" * ((128 << 10) + 1))
refused("GoneException", 410, api.post_to_connection, ConnectionId="AAAAAAAAAAAAAAA=", Data=b"x")
refused("GoneException", 410, api.get_connection, ConnectionId="AAAAAAAAAAAAAAA=")
refused("BadRequestException", 400, api.delete_connection, ConnectionId="nonsense")
other = boto3.client("apigatewaymanagementapi", endpoint_url="http://%s/other" % domain, config=once)
refused("GoneException", 410, other.post_to_connection, ConnectionId=id, Data=b"x")
wrong = boto3.client("apigatewaymanagementapi", endpoint_url=url, config=once, aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"], aws_secret_access_key="wrong")
refused("InvalidSignatureException", 403, wrong.post_to_connection, ConnectionId=id, Data=b"x")
nobody = boto3.client("apigatewaymanagementapi", endpoint_url=url, config=once.merge(Config(signature_version=UNSIGNED)))
refused("MissingAuthenticationTokenException", 403, nobody.get_connection, ConnectionId=id)
reader = boto3.client("apigatewaymanagementapi", endpoint_url=url, config=once, aws_access_key_id="reader", aws_secret_access_key="only-for-reading-0")
reader.get_connection(ConnectionId=id)
refused("ForbiddenException", 403, reader.post_to_connection, ConnectionId=id, Data=b"x")

api.delete_connection(ConnectionId=id)
refused("GoneException", 410, api.delete_connection, ConnectionId=id)
print("finished")
`

func TestBoto3SendsToClientsOfAWebSocketAPI(t *testing.T) {
	harness.Parallel(t)
	python := botoPython(t)
	a := harness.NewAPI(t, "access_key reader only-for-reading-0 read_only", `websocket /chat* chat {
	message where f {
		respond
	}
}`)
	a.Create("f", harness.ZipOf(t, map[string]string{"index.mjs": `export const handler = async (e) => {
  const { domainName, stage, connectionId } = e.requestContext;
  return { statusCode: 200, body: [domainName, stage, connectionId].join(' ') };
};`}))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(a.URL("/chat"), "http"), &websocket.DialOptions{HTTPHeader: map[string][]string{"User-Agent": {"test"}}})
	a.Check(err)
	defer c.CloseNow()
	c.SetReadLimit(-1)
	a.Check(c.Write(ctx, websocket.MessageText, []byte(`{"action":"where"}`)))
	_, where, err := c.Read(ctx)
	a.Check(err)

	s := newShell(a)
	s.write("script.py", []byte(connectionsScript))
	out := make(chan string, 1)
	go func() {
		text, err := s.try(python, append([]string{"script.py"}, strings.Fields(string(where))...)...)
		if err != nil {
			text += err.Error()
		}
		out <- text
	}()
	for _, want := range []struct {
		kind websocket.MessageType
		text string
	}{{websocket.MessageText, "hällo"}, {websocket.MessageBinary, "\xff\x00"}, {websocket.MessageText, strings.Repeat("x", 128<<10)}} {
		kind, text, err := c.Read(ctx)
		if err != nil || kind != want.kind || string(text) != want.text {
			t.Fatalf("the client got %v %.20q %v, want %v %.20q; the script: %s", kind, text, err, want.kind, want.text, <-out)
		}
	}
	if _, _, err := c.Read(ctx); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("DELETE closes by %v", err)
	}
	s.want(<-out, "finished")
}
