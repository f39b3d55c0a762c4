CREATE TABLE comments (
    id text PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    name text NOT NULL,
    text text NOT NULL
);

ALTER TABLE comments OWNER TO site;

CREATE INDEX ON comments (at);

CREATE TABLE files (
    name text PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    content bytea NOT NULL,
    sha256 bytea NOT NULL GENERATED ALWAYS AS (sha256(content)) STORED
);

ALTER TABLE files OWNER TO site;

CREATE INDEX ON files (at);

