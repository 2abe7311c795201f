package apigateway

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// A Socket is what the events of one connection of a WebSocket API have in common.
type Socket struct {
	ConnectionID string
	ConnectedAt  time.Time
	APIID, Stage string
	Domain       string // the Host that the client asked for, with its port
	SourceIP     string // the client's address
	UserAgent    string // "": it did not say
	// Authorizer is the value of requestContext.authorizer, as JSON. nil: there is none.
	Authorizer []byte
	// IAM is who signed the request to connect, of the account AccountID. nil: nobody had to.
	IAM       *Identity
	AccountID string
}

// A SocketMoment is the data of one event besides that of its socket.
type SocketMoment struct {
	RouteKey  string
	RequestID string
	Time      time.Time
	// Variables are the stage variables, as a JSON object. nil: there are none.
	Variables []byte
}

// AppendConnect appends the event of a client that wants to connect by the request r. trusted
// tells that the request came through a proxy whose X-Forwarded-Proto and -Port may be believed.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html
func (s *Socket) AppendConnect(dst []byte, r *http.Request, trusted bool, m *SocketMoment) []byte {
	return s.appendConnect(append(dst, '{'), r, trusted, m)
}

// AppendAuthorizer appends the event by which an authorizer is asked about a client that wants to
// connect.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html
func (s *Socket) AppendAuthorizer(dst []byte, r *http.Request, trusted bool, arn string, m *SocketMoment) []byte {
	dst = appendQuoted(dst, `{"type":"REQUEST","methodArn":`, arn)
	return s.appendConnect(append(dst, ','), r, trusted, m)
}

func (s *Socket) appendConnect(dst []byte, r *http.Request, trusted bool, m *SocketMoment) []byte {
	dst = slices.Grow(dst, eventRoom)
	_, port := splitHost(r.Host)
	headers := requestHeaders{header: r.Header, host: r.Host, v1: true}
	headers.forward(r, &Context{SourceIP: s.SourceIP, TrustedProxy: trusted}, port)
	dst = headers.appendObject(append(dst, `"headers":`...), last)
	dst = headers.appendObject(append(dst, `,"multiValueHeaders":`...), lists)
	var pairs [manyPairs]pair
	if q := parseQuery(r.URL.RawQuery, pairs[:0]); len(q.pairs) > 0 {
		dst = q.appendLast(append(dst, `,"queryStringParameters":`...))
		dst = q.appendLists(append(dst, `,"multiValueQueryStringParameters":`...))
	}
	dst = s.beginContext(append(dst, ','), "CONNECT", m)
	dst = s.endContext(dst, m)
	return append(dst, `,"isBase64Encoded":false}`...)
}

// AppendMessage appends the event of a message of the client. Text that is not UTF-8 is given
// in base64, as binary messages are.
func (s *Socket) AppendMessage(dst []byte, messageID string, text bool, message []byte, m *SocketMoment) []byte {
	dst = slices.Grow(dst, eventRoom+len(message)+len(message)/2)
	dst = s.beginContext(append(dst, '{'), "MESSAGE", m)
	dst = appendQuoted(dst, `,"messageId":`, messageID)
	dst = s.endContext(dst, m)
	dst = append(dst, `,"body":`...)
	if text && utf8.Valid(message) {
		dst = appendValid(dst, message)
		return append(dst, `,"isBase64Encoded":false}`...)
	}
	dst = base64.StdEncoding.AppendEncode(append(dst, '"'), message)
	return append(dst, `","isBase64Encoded":true}`...)
}

// AppendDisconnect appends the event of a connection that has ended, with the status code and
// the reason of RFC 6455. The headers are Host and three without a value, as in AWS's own events.
func (s *Socket) AppendDisconnect(dst []byte, status int, reason string, m *SocketMoment) []byte {
	dst = slices.Grow(dst, eventRoom)
	dst = appendQuoted(dst, `{"headers":{"Host":`, s.Domain)
	dst = append(dst, `,"x-api-key":"","X-Forwarded-For":"","x-restapi":""}`...)
	dst = appendQuoted(dst, `,"multiValueHeaders":{"Host":[`, s.Domain)
	dst = append(dst, `],"x-api-key":[""],"X-Forwarded-For":[""],"x-restapi":[""]},`...)
	dst = s.beginContext(dst, "DISCONNECT", m)
	dst = strconv.AppendInt(append(dst, `,"disconnectStatusCode":`...), int64(status), 10)
	dst = appendQuoted(dst, `,"disconnectReason":`, reason)
	dst = s.endContext(dst, m)
	return append(dst, `,"isBase64Encoded":false}`...)
}

func (s *Socket) beginContext(dst []byte, kind string, m *SocketMoment) []byte {
	dst = appendQuoted(dst, `"requestContext":{"routeKey":`, m.RouteKey)
	return appendQuoted(dst, `,"eventType":`, kind)
}

func (s *Socket) endContext(dst []byte, m *SocketMoment) []byte {
	dst = appendQuoted(dst, `,"extendedRequestId":`, m.RequestID)
	dst = appendTime(dst, `,"requestTime":`, m.Time)
	dst = appendQuoted(dst, `,"messageDirection":"IN","stage":`, s.Stage)
	dst = strconv.AppendInt(append(dst, `,"connectedAt":`...), s.ConnectedAt.UnixMilli(), 10)
	dst = strconv.AppendInt(append(dst, `,"requestTimeEpoch":`...), m.Time.UnixMilli(), 10)
	if s.Authorizer != nil {
		dst = append(append(dst, `,"authorizer":`...), s.Authorizer...)
	}
	dst = append(dst, `,"identity":{`...)
	if s.IAM != nil {
		dst = appendQuoted(dst, `"accessKey":`, s.IAM.AccessKey)
		dst = appendQuoted(dst, `,"accountId":`, s.AccountID)
		dst = appendQuoted(dst, `,"caller":`, s.IAM.UserID)
		dst = appendQuoted(dst, `,"user":`, s.IAM.UserID)
		dst = append(appendQuoted(dst, `,"userArn":`, s.IAM.UserARN), ',')
	}
	if s.UserAgent != "" {
		dst = append(appendQuoted(dst, `"userAgent":`, s.UserAgent), ',')
	}
	dst = appendQuoted(dst, `"sourceIp":`, s.SourceIP)
	dst = appendQuoted(dst, `},"requestId":`, m.RequestID)
	dst = appendQuoted(dst, `,"domainName":`, s.Domain)
	dst = appendQuoted(dst, `,"connectionId":`, s.ConnectionID)
	dst = appendQuoted(dst, `,"apiId":`, s.APIID)
	dst = append(dst, '}')
	if m.Variables != nil {
		dst = append(append(dst, `,"stageVariables":`...), m.Variables...)
	}
	return dst
}

// AppendSocketError appends what a client is told of a message, or of a request to connect, that
// no function has answered. As recorded in public reports, a space follows
// the first colon, and no other.
func AppendSocketError(dst []byte, message, connectionID, requestID string) []byte {
	dst = appendQuoted(dst, `{"message": `, message)
	dst = appendQuoted(dst, `, "connectionId":`, connectionID)
	dst = appendQuoted(dst, `, "requestId":`, requestID)
	return append(dst, '}')
}

// SocketVariables are stage variables as SocketMoment has them.
func SocketVariables(variables map[string]string) []byte {
	if len(variables) == 0 {
		return nil
	}
	return []byte((&Route{StageVariables: variables}).variables())
}
