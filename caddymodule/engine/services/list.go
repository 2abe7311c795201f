package services

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hearthfn/hearth/invoker/pull"
)

// A listPage is an answer of ListObjectsV2.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
type listPage struct {
	IsTruncated  bool
	EncodingType string
	Contents     []struct {
		Key, ETag    string
		Size         int64
		LastModified time.Time
	}
}

// maxListPage bounds a page, in bytes: 1000 keys of 1 KB, escaped.
const maxListPage = 8 << 20

// List implements pull.Bucket.
func (b *Bucket) List(ctx context.Context, name, prefix, after string) (page []pull.Object, more bool, err error) {
	query := url.Values{"list-type": {"2"}, "encoding-type": {"url"}}
	for field, value := range map[string]string{"prefix": prefix, "start-after": after} {
		if value != "" {
			query.Set(field, value)
		}
	}
	address := b.endpoint.JoinPath(name)
	address.RawQuery = strings.ReplaceAll(query.Encode(), "+", "%20") // as it is signed
	answer, err := b.do(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, false, errors.New(reason(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, false, refusal(answer)
	}
	var got listPage
	if err := xml.NewDecoder(io.LimitReader(answer.Body, maxListPage)).Decode(&got); err != nil {
		return nil, false, fmt.Errorf("the answer is not a list of objects: %w", err)
	}
	for _, o := range got.Contents {
		if got.EncodingType == "url" {
			if o.Key, err = url.QueryUnescape(o.Key); err != nil {
				return nil, false, err
			}
		}
		page = append(page, pull.Object{Key: o.Key, ETag: strings.Trim(o.ETag, `"`), Size: o.Size, LastModified: o.LastModified})
	}
	return page, got.IsTruncated, nil
}

var _ pull.Bucket = (*Bucket)(nil)
