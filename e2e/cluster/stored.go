package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Stored returns how many values etcd has below a prefix of its keys, such as
// /registry/pods/, and how many bytes they have together.
func (c *Cluster) Stored(ctx context.Context, prefix string) (values int, size int64, err error) {
	client, err := c.etcdClient()
	if err != nil {
		return 0, 0, err
	}
	defer client.CloseIdleConnections()
	end := []byte(prefix)
	end[len(end)-1]++ // the first key that is beyond all of them
	query, err := json.Marshal(map[string][]byte{"key": []byte(prefix), "range_end": end})
	if err != nil {
		return 0, 0, fmt.Errorf("encode a query: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.etcdURL()+"/v3/kv/range", bytes.NewReader(query))
	if err != nil {
		return 0, 0, fmt.Errorf("make a query: %w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, 0, err // it names method and address
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("ask etcd: %s", resp.Status)
	}
	var answer struct{ KVs []struct{ Value []byte } }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return 0, 0, fmt.Errorf("read etcd's answer: %w", err)
	}
	for _, kv := range answer.KVs {
		size += int64(len(kv.Value))
	}
	return len(answer.KVs), size, nil
}
