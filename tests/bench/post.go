package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// post sends events with the token of the benchmark, and is an error unless they are kept.
func post(ctx context.Context, client *http.Client, url, media string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer bench")
	request.Header.Set("Content-Type", media)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s: %s", url, response.Status, text)
	}
	return err
}
