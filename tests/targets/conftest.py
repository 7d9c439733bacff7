"""Here so that the tests of the targets find recorder.py and golden.py."""
