-- Two roles from the first migration on: the owner (who runs this) keeps the schema; the app role
-- owns nothing. It gets plain rights on ordinary tables here; tables of money take them back.
CREATE EXTENSION IF NOT EXISTS btree_gist;

GRANT USAGE ON SCHEMA public TO {app_role};
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {app_role};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {app_role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {app_role};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {app_role};

-- Without a type modifier: numeric(78, 0) would round 1.5 to 2 before the check could see it.
CREATE DOMAIN wei AS numeric CHECK (VALUE = trunc(VALUE) AND abs(VALUE) < 1e78);
