SELECT rolname, rolconnlimit FROM pg_roles
