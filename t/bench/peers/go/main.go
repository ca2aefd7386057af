// The receive path for Go, with nothing but its standard library: signature
// (Standard Webhooks), JSON, event, deduplication by webhook-id and the status
// of pushes in maps that forget the oldest.
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"hash"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	tolerance = 300
	limit     = 500000
	maxBody   = 1 << 20
)

type event struct {
	ID            string `json:"id"`
	EventType     string `json:"eventType"`
	GeneratedDate string `json:"generatedDate"`
	Payload       struct {
		ID     string `json:"id"`
		Status string `json:"status"`
	} `json:"payload"`
}

type reply struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Result string `json:"result"`
}

type push struct{ status, updated string }

var known = map[string]bool{
	"company.created": true, "company.deleted": true,
	"company.product.added": true, "company.product.removed": true,
	"connection.created": true, "connection.connected": true,
	"connection.reconnected": true, "connection.disconnected": true,
	"connection.failed": true, "connection.deleted": true,
	"read.completed": true, "read.completed.initial": true,
	"read.completed.successful": true, "read.completed.unsuccessful": true,
	"client.rateLimit.reached": true, "client.rateLimit.reset": true,
}

// table is a map that forgets the oldest of more than limit keys.
type table[V any] struct {
	rows map[string]V
	keys []string
	next int
}

func newTable[V any]() *table[V] {
	return &table[V]{rows: make(map[string]V), keys: make([]string, limit)}
}

func (t *table[V]) has(key string) bool {
	_, found := t.rows[key]
	return found
}

func (t *table[V]) set(key string, value V) {
	if !t.has(key) {
		delete(t.rows, t.keys[t.next])
		t.keys[t.next] = key
		t.next = (t.next + 1) % limit
	}
	t.rows[key] = value
}

var (
	lock       sync.Mutex
	deliveries = newTable[struct{}]()
	pushes     = newTable[push]()

	hashes  sync.Pool // keyed once
	buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}
)

func verify(header http.Header, body []byte) bool {
	id := header.Get("webhook-id")
	timestamp := header.Get("webhook-timestamp")

	sent, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" {
		return false
	}
	age := time.Now().Unix() - sent
	if age > tolerance || age < -tolerance {
		return false
	}

	h := hashes.Get().(hash.Hash)
	defer hashes.Put(h)
	h.Reset()
	io.WriteString(h, id+"."+timestamp+".")
	h.Write(body)
	var digest [sha256.Size]byte
	expected := h.Sum(digest[:0])

	for _, s := range strings.Split(header.Get("webhook-signature"), " ") {
		if !strings.HasPrefix(s, "v1,") {
			continue
		}
		signature, err := base64.StdEncoding.DecodeString(s[3:])
		if err == nil && hmac.Equal(signature, expected) {
			return true
		}
	}
	return false
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value)
}

func receive(w http.ResponseWriter, r *http.Request) {
	body := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(body)
	body.Reset()

	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil || !verify(r.Header, body.Bytes()) {
		answer(w, 401, map[string]string{"code": "signature_mismatch"})
		return
	}

	var e event
	if json.Unmarshal(body.Bytes(), &e) != nil || e.EventType == "" {
		answer(w, 400, map[string]string{"code": "malformed_json"})
		return
	}

	id := r.Header.Get("webhook-id")
	write := strings.Contains(e.EventType, ".write.")
	result := "accepted"

	lock.Lock()
	if deliveries.has(id) {
		result = "duplicate"
	} else {
		deliveries.set(id, struct{}{})
		if write && e.Payload.ID != "" {
			pushes.set(e.Payload.ID,
				push{e.Payload.Status, e.GeneratedDate})
		}
	}
	lock.Unlock()

	name := e.EventType
	if !write && !known[name] {
		name = "unknown"
	}
	answer(w, 200, reply{e.ID, name, result})
}

func main() {
	key, err := base64.StdEncoding.DecodeString(
		strings.TrimPrefix(os.Getenv("PEER_SECRET"), "whsec_"))
	if err != nil {
		log.Fatal(err)
	}
	hashes.New = func() any { return hmac.New(sha256.New, key) }

	http.HandleFunc("/webhooks/codat", receive)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PEER_PORT"), nil))
}
