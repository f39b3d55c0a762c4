CREATE TABLE comments (
    id text PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    name text NOT NULL,
    text text NOT NULL
);

ALTER TABLE comments OWNER TO site;

CREATE INDEX ON comments (at);

