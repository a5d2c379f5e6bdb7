<?php
file_put_contents(tempnam(sys_get_temp_dir(), "session"), "as sessions do");
echo "hello from php\n";
