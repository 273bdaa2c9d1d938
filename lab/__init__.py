"""What images, provision and host share. Imports none of them."""
