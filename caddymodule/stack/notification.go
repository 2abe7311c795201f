package stack

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// The notifications of a bucket, as the API of S3 has them.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-notificationconfiguration.html

type xmlRule struct{ Name, Value string }

type xmlFunction struct {
	ID       string    `xml:"Id,omitempty"`
	Function string    `xml:"CloudFunction"`
	Events   []string  `xml:"Event"`
	Rules    []xmlRule `xml:"Filter>S3Key>FilterRule,omitempty"`
}

type xmlNotification struct {
	XMLName   xml.Name      `xml:"NotificationConfiguration"`
	Bridge    *struct{}     `xml:"EventBridgeConfiguration"`
	Functions []xmlFunction `xml:"CloudFunctionConfiguration"`
}

// checkNotification checks the property of a bucket. What depends on other resources is a text yet.
func checkNotification(e *Engine, value any) error {
	if value == nil {
		return nil
	}
	if !e.services().Notifies {
		return errors.New("property NotificationConfiguration is not supported here: set notify in this server's option s3, which names where the object store sends its events")
	}
	config, ok := value.(map[string]any)
	if !ok {
		return nil // not known yet
	}
	for _, name := range slices.Sorted(maps.Keys(config)) {
		if name != "LambdaConfigurations" && name != "EventBridgeConfiguration" {
			return fmt.Errorf("%s of NotificationConfiguration is not supported: this server has functions run for events of a bucket; other targets are set at the object store itself", name)
		}
	}
	if bridge, given := config["EventBridgeConfiguration"].(map[string]any); given {
		if err := only("EventBridgeEnabled")(e, bridge); err != nil {
			return err
		}
	}
	for _, one := range listOf(config["LambdaConfigurations"]) {
		of, ok := one.(map[string]any)
		if !ok {
			continue
		}
		if err := only("Event", "Function", "Filter")(e, of); err != nil {
			return err
		}
		for _, name := range []string{"Event", "Function"} {
			if of[name] == nil {
				return sentence("required key [%s] not found", name)
			}
		}
	}
	return nil
}

// notification is the body that sets the property.
func notification(value any) *xmlNotification {
	body := new(xmlNotification)
	config, _ := value.(map[string]any)
	if bridge, given := config["EventBridgeConfiguration"].(map[string]any); given && text(bridge["EventBridgeEnabled"]) == "true" {
		body.Bridge = new(struct{})
	}
	for _, one := range listOf(config["LambdaConfigurations"]) {
		of, _ := one.(map[string]any)
		f := xmlFunction{Function: text(of["Function"]), Events: []string{text(of["Event"])}}
		filter, _ := of["Filter"].(map[string]any)
		key, _ := filter["S3Key"].(map[string]any)
		for _, r := range listOf(key["Rules"]) {
			rule, _ := r.(map[string]any)
			f.Rules = append(f.Rules, xmlRule{text(rule["Name"]), text(rule["Value"])})
		}
		body.Functions = append(body.Functions, f)
	}
	return body
}

// notify sets what functions run for events of a bucket.
func (w *Work) notify(ctx context.Context) error {
	if !w.differs("NotificationConfiguration") {
		return nil
	}
	_, err := w.bucket(ctx, http.MethodPut, "notification", notification(w.New["NotificationConfiguration"]))
	return err
}
