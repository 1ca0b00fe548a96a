// Checks what aftertrace.tlog made with the code that Go itself trusts for its checksum database, and makes the same
// for aftertrace.tlog to check. One JSON document comes in on stdin, one goes out on stdout.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// asked names a log in a folder: its checkpoint and tiles are files, as C2SP tlog-tiles lays them out.
type asked struct {
	Folder   string
	Verifier string  // to check the log: the key that its checkpoint has to be signed with
	Signer   string  // to make one: the key to sign with
	Old      int64   // size of an older tree
	Entries  []int64 // to prove
	Size     int64   // of the log to make, whose entries are their indices in decimal
	Proofs   []proof // to check
	Packet   string  // the folder of a packet to check
}

// proof is one of inclusion, of the leaf at an index, or of consistency with an older tree of that size and root.
type proof struct {
	Index  int64
	Leaf   tlog.Hash
	Old    tlog.Hash
	Hashes []tlog.Hash
}

type answer struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	Proofs []proof
}

func main() {
	var question asked
	if err := json.NewDecoder(os.Stdin).Decode(&question); err != nil {
		refuse(err)
	}
	do := check
	if question.Signer != "" {
		do = build
	}
	if question.Packet != "" {
		do = packet
	}
	found, err := do(question)
	if err != nil {
		refuse(err)
	}
	json.NewEncoder(os.Stdout).Encode(found)
}

func refuse(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// files gives the tiles of a folder. What is saved has been checked, and is not needed again.
type files string

func (files) Height() int                                { return height }
func (files) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (folder files) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range tiles {
		content, err := os.ReadFile(folder.path(tile))
		if err != nil {
			return nil, err
		}
		data = append(data, content)
	}
	return data, nil
}

// path is that of C2SP: the height is not in it.
func (folder files) path(tile tlog.Tile) string {
	return filepath.Join(string(folder), strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
}

func check(question asked) (*answer, error) {
	verifier, err := note.NewVerifier(question.Verifier)
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(filepath.Join(question.Folder, "checkpoint"))
	if err != nil {
		return nil, err
	}
	signed, err := note.Open(content, note.VerifierList(verifier))
	if err != nil {
		return nil, err
	}
	lines := strings.SplitN(signed.Text, "\n", 4)
	found := &answer{Origin: lines[0]}
	if _, err := fmt.Sscan(lines[1], &found.Size); err != nil {
		return nil, err
	}
	if found.Root, err = tlog.ParseHash(lines[2]); err != nil {
		return nil, err
	}
	reader := tlog.TileHashReader(tlog.Tree{N: found.Size, Hash: found.Root}, files(question.Folder))
	if err := prove(found, question, reader); err != nil {
		return nil, err
	}
	for _, each := range question.Proofs {
		if each.Old != (tlog.Hash{}) {
			err = tlog.CheckTree(each.Hashes, found.Size, found.Root, each.Index, each.Old)
		} else {
			err = tlog.CheckRecord(each.Hashes, found.Size, found.Root, each.Index, each.Leaf)
		}
		if err != nil {
			return nil, fmt.Errorf("proof %d: %w", each.Index, err)
		}
	}
	return found, nil
}

// prove adds the proofs that were asked for, made by Go from the tiles.
func prove(found *answer, question asked, reader tlog.HashReader) error {
	for _, index := range question.Entries {
		hashes, err := tlog.ProveRecord(found.Size, index, reader)
		if err != nil {
			return err
		}
		leaf, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		if err != nil {
			return err
		}
		found.Proofs = append(found.Proofs, proof{Index: index, Leaf: leaf[0], Hashes: hashes})
	}
	if question.Old > 0 {
		old, err := tlog.TreeHash(question.Old, reader)
		if err != nil {
			return err
		}
		hashes, err := tlog.ProveTree(found.Size, question.Old, reader)
		if err != nil {
			return err
		}
		found.Proofs = append(found.Proofs, proof{Index: question.Old, Old: old, Hashes: hashes})
	}
	return nil
}

func build(question asked) (*answer, error) {
	signer, err := note.NewSigner(question.Signer)
	if err != nil {
		return nil, err
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indices []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, index := range indices {
			hashes = append(hashes, stored[index])
		}
		return hashes, nil
	})
	for index := int64(0); index < question.Size; index++ {
		hashes, err := tlog.StoredHashes(index, []byte(fmt.Sprint(index)), reader)
		if err != nil {
			return nil, err
		}
		stored = append(stored, hashes...)
	}
	root, err := tlog.TreeHash(question.Size, reader)
	if err != nil {
		return nil, err
	}
	for _, tile := range tlog.NewTiles(height, 0, question.Size) {
		data, err := tlog.ReadTileData(tile, reader)
		if err != nil {
			return nil, err
		}
		if err := write(files(question.Folder).path(tile), data); err != nil {
			return nil, err
		}
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s\n%d\n%s\n", signer.Name(), question.Size, root)
	content, err := note.Sign(&note.Note{Text: text.String()}, signer)
	if err != nil {
		return nil, err
	}
	found := &answer{Origin: signer.Name(), Size: question.Size, Root: root}
	if err := prove(found, question, reader); err != nil {
		return nil, err
	}
	return found, write(filepath.Join(question.Folder, "checkpoint"), content)
}

func write(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
