package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A packet, verified from its description in exporter/PACKETS.md alone: nothing here is shared with the Python code.

type row struct {
	Own      []byte
	Position int64
	Row      map[string]any
}

type request struct {
	Entry    int64
	Hashes   map[string][]tlog.Hash
	Ledger   int
	Receiver string
	Seq      int64
}

type entry struct {
	Kind     string
	Receiver string
	Digest   []byte
	Frames   []map[string]any
}

var contents = map[string]map[string]bool{
	"evidence": {"record": true},
	"spans":    {"attributes": true, "status_message": true},
	"events":   {"arguments": true, "attributes": true, "content": true, "reason": true},
}
var binaries = map[string]bool{"record": true, "record_id": true, "record_key": true}

func packet(question asked) (*answer, error) {
	folder := filepath.Join(question.Packet, "data", "ledgers", "1")
	checkpoint, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return nil, err
	}
	found := &answer{}
	leaves := map[string]map[string]map[int64]tlog.Hash{}
	for table := range contents {
		count, err := rows(question.Packet, table, leaves)
		if err != nil {
			return nil, err
		}
		found.Size += count
	}
	var requests []request
	if err := lines(filepath.Join(question.Packet, "data/evidence/requests.jsonl"), func(content []byte) error {
		var each request
		err := json.Unmarshal(content, &each)
		requests = append(requests, each)
		return err
	}); err != nil {
		return nil, err
	}
	for _, each := range requests {
		path := filepath.Join(folder, fmt.Sprintf("%012d.tlog-proof", each.Entry))
		told, tree, err := proven(path, question.Verifier, checkpoint, each.Entry)
		if err != nil {
			return nil, err
		}
		found.Root = tree.Hash
		shown := leaves[fmt.Sprintf("%s/%d", each.Receiver, each.Seq)]
		if err := covers(told, each, shown); err != nil {
			return nil, err
		}
	}
	manifest, err := os.ReadFile(filepath.Join(question.Packet, "tagmanifest-sha256.txt"))
	if err != nil {
		return nil, err
	}
	receipt, _, err := proven(filepath.Join(question.Packet, "receipt.tlog-proof"), question.Verifier, nil, -1)
	if err != nil {
		return nil, err
	}
	if digest := sha256.Sum256(manifest); !bytes.Equal(digest[:], receipt.Digest) || receipt.Kind != "export" {
		return nil, errors.New("receipt of another packet")
	}
	return found, nil
}

// proven reads an entry from a C2SP tlog-proof, once Go has verified the checkpoint and the proof.
func proven(path, key string, checkpoint []byte, index int64) (*entry, *tlog.Tree, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	head, signed, _ := strings.Cut(string(content), "\n\n")
	if checkpoint != nil && signed != string(checkpoint) {
		return nil, nil, errors.New("proof of another checkpoint")
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return nil, nil, err
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return nil, nil, err
	}
	told := strings.SplitN(opened.Text, "\n", 4)
	tree := &tlog.Tree{}
	if _, err := fmt.Sscan(told[1], &tree.N); err != nil {
		return nil, nil, err
	}
	if tree.Hash, err = tlog.ParseHash(told[2]); err != nil {
		return nil, nil, err
	}
	parts := strings.Split(head, "\n")
	extra, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(parts[1], "extra "))
	if err != nil {
		return nil, nil, err
	}
	var at int64
	if _, err := fmt.Sscanf(parts[2], "index %d", &at); err != nil {
		return nil, nil, err
	}
	var proof tlog.RecordProof
	for _, part := range parts[3:] {
		hash, err := tlog.ParseHash(part)
		if err != nil {
			return nil, nil, err
		}
		proof = append(proof, hash)
	}
	if index >= 0 && at != index {
		return nil, nil, errors.New("proof of another entry")
	}
	if err := tlog.CheckRecord(proof, tree.N, tree.Hash, at, tlog.RecordHash(extra)); err != nil {
		return nil, nil, err
	}
	found := &entry{}
	return found, tree, json.Unmarshal(extra, found)
}

// covers compares the rows that are shown of a request with the roots that its entry has.
func covers(told *entry, each request, shown map[string]map[int64]tlog.Hash) error {
	for _, frame := range told.Frames {
		if int64(frame["seq"].(float64)) != each.Seq || told.Receiver != each.Receiver {
			continue
		}
		for table, leaves := range shown {
			roots := frame[table].([]any)
			expected, err := tlog.ParseHash(roots[1].(string))
			if err != nil {
				return err
			}
			hashes := each.Hashes[table]
			root, err := subset(0, int64(roots[0].(float64)), leaves, &hashes)
			if err != nil || root != expected || len(hashes) > 0 {
				return fmt.Errorf("%s of %s/%d: rows differ", table, each.Receiver, each.Seq)
			}
		}
		return nil
	}
	return errors.New("entry of another request")
}

// subset is the root over leaves from start to end: those that are shown, and hashes that stand for the others.
func subset(start, end int64, leaves map[int64]tlog.Hash, hashes *[]tlog.Hash) (tlog.Hash, error) {
	is_shown := false
	for place := range leaves {
		is_shown = is_shown || start <= place && place < end
	}
	if !is_shown {
		if len(*hashes) == 0 {
			return tlog.Hash{}, errors.New("too few hashes")
		}
		first := (*hashes)[0]
		*hashes = (*hashes)[1:]
		return first, nil
	}
	if end-start == 1 {
		return leaves[start], nil
	}
	width := int64(1)
	for width*2 < end-start {
		width *= 2
	}
	left, err := subset(start, start+width, leaves, hashes)
	if err != nil {
		return left, err
	}
	right, err := subset(start+width, end, leaves, hashes)
	return tlog.NodeHash(left, right), err
}

func rows(packet, table string, leaves map[string]map[string]map[int64]tlog.Hash) (int64, error) {
	count := int64(0)
	err := lines(filepath.Join(packet, "data/evidence", table+".jsonl"), func(content []byte) error {
		var each row
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.UseNumber()
		if err := decoder.Decode(&each); err != nil {
			return err
		}
		leaf, err := hashed(table, each)
		if err != nil {
			return err
		}
		request := fmt.Sprintf("%s/%s", each.Row["receiver"], each.Row["seq"])
		if leaves[request] == nil {
			leaves[request] = map[string]map[int64]tlog.Hash{}
		}
		if leaves[request][table] == nil {
			leaves[request][table] = map[int64]tlog.Hash{}
		}
		leaves[request][table][each.Position] = leaf
		count++
		return nil
	})
	return count, err
}

func hashed(table string, each row) (tlog.Hash, error) {
	content, err := fields(each.Row, func(name string) bool { return contents[table][name] })
	if err != nil {
		return tlog.Hash{}, err
	}
	others, err := fields(each.Row, func(name string) bool { return !contents[table][name] })
	if err != nil {
		return tlog.Hash{}, err
	}
	inner := sha256.Sum256(bytes.Join([][]byte{[]byte("aftertrace/content/v1\n" + table + "\n"), each.Own, content}, nil))
	return sha256.Sum256(bytes.Join([][]byte{[]byte("\x00aftertrace/row/v1\n" + table + "\n"), inner[:], others}, nil)), nil
}

func fields(told map[string]any, wanted func(string) bool) ([]byte, error) {
	var names []string
	for name := range told {
		if wanted(name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var found bytes.Buffer
	for _, name := range names {
		value, err := written(name, told[name])
		if err != nil {
			return nil, err
		}
		found.WriteString(name + "\x00")
		binary.Write(&found, binary.LittleEndian, uint32(len(value)))
		found.Write(value)
	}
	return found.Bytes(), nil
}

func written(name string, told any) ([]byte, error) {
	if number, ok := told.(json.Number); ok {
		if name == "cost_usd" {
			value, err := number.Float64()
			return binary.LittleEndian.AppendUint64(nil, math.Float64bits(value)), err
		}
		value, err := number.Int64()
		return binary.LittleEndian.AppendUint64(nil, uint64(value)), err
	}
	text := told.(string)
	if binaries[name] {
		return base64.StdEncoding.DecodeString(text)
	}
	if name == "received_date" {
		day, err := time.Parse(time.DateOnly, text)
		return binary.LittleEndian.AppendUint64(nil, uint64(day.Unix()/86400)), err
	}
	return []byte(text), nil
}

func lines(path string, each func([]byte) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	reader := bufio.NewReader(file)
	for {
		content, err := reader.ReadBytes('\n')
		if len(content) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		if err := each(content); err != nil {
			return err
		}
	}
}
