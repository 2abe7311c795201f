package foreign

import (
	"encoding/binary"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hearthfn/hearth/warmpool/bodies"
)

// Message is what the client is told. served are the names, in signatures, of the services that
// this server answers.
func (c Call) Message(served []string) string {
	service := c.service
	switch {
	case service == "":
		service = "an unnamed service"
	case slices.Contains(served, service):
		return fmt.Sprintf("%s is no operation of %s that this server knows.", c.operation, service)
	case service == "s3": // where uploads of deployments are taken, package s3 has answered
		return fmt.Sprintf("%s of s3 is not supported: this server takes no uploads of deployments, because it has the option s3, or the Redis of several nodes. "+
			"Give the client the endpoint of the object store.", c.operation)
	}
	return fmt.Sprintf("%s of %s is not supported: this server answers %s. "+
		"Give the client the endpoint of %[2]s, and this one to the others alone (AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL_CLOUDWATCH_LOGS).", c.operation, service, strings.Join(served, ", "))
}

// Refuse answers with the error of an operation that is not there, as the service's
// protocol has it.
func (c Call) Refuse(w http.ResponseWriter, r *http.Request, requestID string, served []string) {
	status, code, contentType := http.StatusBadRequest, "UnknownOperationException", "application/json"
	message := c.Message(served)
	var body []byte
	header := w.Header()
	switch c.protocol {
	case restJSON:
		body = encodeJSON(map[string]string{"message": message})
	case awsJSON:
		contentType = "application/x-amz-json-1.1"
		if c.service == "ecr" && c.operation == "DescribeRepositories" {
			// Who removes an application asks for its images. There are none, and that is an answer.
			code = "RepositoryNotFoundException"
		}
		body = encodeJSON(map[string]string{"__type": code, "message": message})
	case rpcJSON:
		header.Set("Smithy-Protocol", "rpc-v2-json")
		body = encodeJSON(map[string]string{"__type": code, "message": message})
	case awsCBOR:
		contentType = "application/x-amz-cbor-1.1"
		body = encodeCBOR("__type", code, "message", message)
	case rpcCBOR:
		header.Set("Smithy-Protocol", "rpc-v2-cbor")
		contentType = "application/cbor"
		body = encodeCBOR("__type", code, "message", message)
	case s3XML:
		status, code, contentType = http.StatusNotImplemented, "NotImplemented", "application/xml"
		body = encodeXML(struct {
			XMLName                  xml.Name `xml:"Error"`
			Code, Message, RequestId string
		}{Code: code, Message: message, RequestId: requestID})
	case ec2Query:
		code, contentType = "InvalidAction", "text/xml"
		body = encodeXML(struct {
			XMLName   xml.Name `xml:"Response"`
			Code      string   `xml:"Errors>Error>Code"`
			Message   string   `xml:"Errors>Error>Message"`
			RequestID string
		}{Code: code, Message: message, RequestID: requestID})
	case query, restXML:
		code, contentType = "InvalidAction", "text/xml"
		body = encodeXML(struct {
			XMLName   xml.Name `xml:"ErrorResponse"`
			Type      string   `xml:"Error>Type"`
			Code      string   `xml:"Error>Code"`
			Message   string   `xml:"Error>Message"`
			RequestId string
		}{Type: "Sender", Code: code, Message: message, RequestId: requestID})
	}
	header.Set("Content-Type", contentType)
	header.Set("X-Amzn-Errortype", code)
	header.Set("X-Amzn-Requestid", requestID)
	bodies.Refuse(w, r, status, body)
}

func encodeJSON(fields map[string]string) []byte {
	body, err := json.Marshal(fields)
	if err != nil {
		panic(err) // strings always encode
	}
	return body
}

func encodeXML(value any) []byte {
	body, err := xml.Marshal(value)
	if err != nil {
		panic(err) // strings always encode
	}
	return append([]byte(xml.Header), body...)
}

// encodeCBOR is a map of texts (RFC 8949), whose names and values alternate.
func encodeCBOR(texts ...string) []byte {
	body := []byte{0xA0 | byte(len(texts)/2)}
	for _, text := range texts {
		switch n := len(text); {
		case n < 24:
			body = append(body, 0x60|byte(n))
		case n < 1<<8:
			body = append(body, 0x78, byte(n))
		default:
			body = binary.BigEndian.AppendUint16(append(body, 0x79), uint16(n))
		}
		body = append(body, text...)
	}
	return body
}
