-- A store of layout 1, as the release that introduced it wrote it.
PRAGMA application_id = 1349284423;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE changes (
            seq INTEGER PRIMARY KEY, "commit" INTEGER NOT NULL, kind TEXT NOT NULL, id INTEGER NOT NULL,
            source INTEGER NOT NULL, target INTEGER NOT NULL, body TEXT NOT NULL, checksum INTEGER NOT NULL
        ) STRICT;
INSERT INTO "changes" VALUES(1,1,'node.created',1,0,0,'{"author":"babbage","key":"Ada Lovelace","record":{"attributes":{"born":1815,"fields":["mathematics","computing"]},"author":"babbage","created_at":"2026-05-28T20:26:40Z","observations":[{"recorded_at":"2026-05-28T20:26:40Z","source":null,"text":"Wrote notes on the engine."}],"updated_at":"2026-05-28T20:26:40Z","version":1},"time":"2026-05-28T20:26:40Z","type":"person"}',118627139);
INSERT INTO "changes" VALUES(2,1,'node.created',2,0,0,'{"author":"babbage","key":"Analytical Engine","record":{"attributes":{"built":false,"parts":{"mill":1}},"author":"babbage","created_at":"2026-05-28T20:26:40Z","observations":[],"updated_at":"2026-05-28T20:26:40Z","version":1},"time":"2026-05-28T20:26:40Z","type":"machine"}',4290094809);
INSERT INTO "changes" VALUES(3,3,'node.created',3,0,0,'{"author":null,"key":"Zürich 🚀","record":{"attributes":{"float":1.5,"null":null},"author":null,"created_at":"2026-05-28T20:26:40Z","observations":[],"updated_at":"2026-05-28T20:26:40Z","version":1},"time":"2026-05-28T20:26:40Z","type":"node"}',3084765694);
INSERT INTO "changes" VALUES(4,3,'edge.created',4,1,2,'{"author":null,"key":["Ada Lovelace","wrote about","Analytical Engine"],"record":{"attributes":{"year":1843},"author":null,"created_at":"2026-05-28T20:26:40Z","updated_at":"2026-05-28T20:26:40Z","version":1},"time":"2026-05-28T20:26:40Z"}',2539224334);
INSERT INTO "changes" VALUES(5,5,'node.created',5,0,0,'{"author":null,"key":"gone","record":{"attributes":{},"author":null,"created_at":"2026-05-28T20:26:40Z","observations":[],"updated_at":"2026-05-28T20:26:40Z","version":1},"time":"2026-05-28T20:26:40Z","type":"node"}',2455803738);
INSERT INTO "changes" VALUES(6,5,'node.created',6,0,0,'{"author":null,"key":"mistyped","record":{"attributes":{},"author":null,"created_at":"2026-05-28T20:26:40Z","observations":[],"updated_at":"2026-05-28T20:26:40Z","version":1},"time":"2026-05-28T20:26:40Z","type":"node"}',528773759);
INSERT INTO "changes" VALUES(7,7,'node.deleted',5,0,0,'{"author":null,"key":"gone","record":{"attributes":{},"author":null,"created_at":"2026-05-28T20:26:40Z","observations":[],"updated_at":"2026-05-28T20:26:40Z","version":1},"time":"2026-05-28T20:26:40Z","type":"node"}',3093814356);
INSERT INTO "changes" VALUES(8,7,'node.renamed',6,0,0,'{"author":null,"key":"right","patch":{"name":"right"},"previous":{"author":null,"revision":6,"updated_at":"2026-05-28T20:26:40Z"},"time":"2026-05-28T20:26:40Z","undo":{"name":"mistyped"},"version":2}',160655259);
INSERT INTO "changes" VALUES(9,7,'edge.created',7,6,6,'{"author":null,"key":["right","loops","right"],"record":{"attributes":{},"author":null,"created_at":"2026-05-28T20:26:40Z","updated_at":"2026-05-28T20:26:40Z","version":1},"time":"2026-05-28T20:26:40Z"}',1654291360);
INSERT INTO "changes" VALUES(10,10,'node.updated',2,0,0,'{"author":null,"key":"Analytical Engine","patch":{"unset":[["parts"]]},"previous":{"author":"babbage","revision":2,"updated_at":"2026-05-28T20:26:40Z"},"time":"2026-05-28T20:26:40Z","undo":{"set":[[["parts"],{"mill":1}]]},"version":2}',505354505);
INSERT INTO "changes" VALUES(11,10,'meta.set',0,0,0,'{"author":null,"key":"motto","record":{"text":"Ada''s"},"time":"2026-05-28T20:26:40Z"}',2792988357);
INSERT INTO "changes" VALUES(12,10,'event',0,0,0,'{"author":null,"data":{"n":1},"key":"right","time":"2026-05-28T20:26:40Z","type":"note.made"}',1247139606);
CREATE TABLE edges (
            id INTEGER PRIMARY KEY, source INTEGER NOT NULL, type TEXT NOT NULL, target INTEGER NOT NULL,
            revision INTEGER NOT NULL, body TEXT NOT NULL, checksum INTEGER NOT NULL, UNIQUE (source, type, target)
        ) STRICT;
INSERT INTO "edges" VALUES(4,1,'wrote about',2,4,'{"attributes":{"year":1843},"author":null,"created_at":"2026-05-28T20:26:40Z","updated_at":"2026-05-28T20:26:40Z","version":1}',515787059);
INSERT INTO "edges" VALUES(7,6,'loops',6,9,'{"attributes":{},"author":null,"created_at":"2026-05-28T20:26:40Z","updated_at":"2026-05-28T20:26:40Z","version":1}',2362882255);
CREATE TABLE head (
            only INTEGER PRIMARY KEY CHECK (only = 1), store TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
            next_id INTEGER NOT NULL, floor INTEGER NOT NULL, time INTEGER NOT NULL, format INTEGER NOT NULL,
            checksum INTEGER NOT NULL, unsynced TEXT
        ) STRICT;
INSERT INTO "head" VALUES(1,'00000000000000000000000000000001','00000000000000000000000000000002',12,8,0,1780000000000000,1,1573659026,NULL);
CREATE TABLE meta (
            key TEXT NOT NULL UNIQUE, revision INTEGER NOT NULL, body TEXT NOT NULL, checksum INTEGER NOT NULL
        ) STRICT;
INSERT INTO "meta" VALUES('motto',11,'{"text":"Ada''s"}',2069483305);
CREATE TABLE nodes (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL, revision INTEGER NOT NULL,
            body TEXT NOT NULL, checksum INTEGER NOT NULL
        ) STRICT;
INSERT INTO "nodes" VALUES(1,'Ada Lovelace','person',1,'{"attributes":{"born":1815,"fields":["mathematics","computing"]},"author":"babbage","created_at":"2026-05-28T20:26:40Z","observations":[{"recorded_at":"2026-05-28T20:26:40Z","source":null,"text":"Wrote notes on the engine."}],"updated_at":"2026-05-28T20:26:40Z","version":1}',832248643);
INSERT INTO "nodes" VALUES(2,'Analytical Engine','machine',10,'{"attributes":{"built":false},"author":null,"created_at":"2026-05-28T20:26:40Z","observations":[],"updated_at":"2026-05-28T20:26:40Z","version":2}',37978839);
INSERT INTO "nodes" VALUES(3,'Zürich 🚀','node',3,'{"attributes":{"float":1.5,"null":null},"author":null,"created_at":"2026-05-28T20:26:40Z","observations":[],"updated_at":"2026-05-28T20:26:40Z","version":1}',2577574385);
INSERT INTO "nodes" VALUES(6,'right','node',8,'{"attributes":{},"author":null,"created_at":"2026-05-28T20:26:40Z","observations":[],"updated_at":"2026-05-28T20:26:40Z","version":2}',4137605651);
CREATE TABLE receipts (
            key TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
            time INTEGER NOT NULL, body TEXT NOT NULL, checksum INTEGER NOT NULL
        ) STRICT;
INSERT INTO "receipts" VALUES('first','bf307c967844952d3ba185d256ed57c26dbfa36cad1a55b531faf7ce797e2822',1,2,1780000000000000,'[["created","Ada Lovelace",1,1],["created","Analytical Engine",2,2]]',982412111);
INSERT INTO "receipts" VALUES('last','bf10df3744c010aa4740e479a67f5bc8129a12cbae4467975b493545318d26aa',10,12,1780000000000000,'[["updated","Analytical Engine",2,10],["created","motto",0,11],["emitted","right",0,12]]',711908766);
CREATE INDEX edges_out ON edges (source, id, type, target);
CREATE INDEX edges_in ON edges (target, id, type, source);
CREATE INDEX changes_id ON changes (id) WHERE id > 0;
CREATE INDEX changes_source ON changes (source) WHERE source > 0;
CREATE INDEX changes_target ON changes (target) WHERE target > 0;
COMMIT;
